use std::fmt::Display;

use crate::error::Corrupt;
use crate::geometry::Geometry;
use crate::header::Header;
use crate::l1::{self, L1Entry, L1Table};
use crate::l2::{DataIn, Rules, ZeroFlag};
use crate::run::{Run, RunEnd, Target};
use crate::source::{Measured, ReadAt};
use crate::tables::Tables;
use crate::units::{GuestOffset, HostOffset};
use crate::{Error, Result};

/// Where the bytes of the guest's disk lie: the L1 table and the L2 tables it leads to.
pub(crate) struct GuestMap {
    rules: Rules,
    l1: L1Table,
    tables: Tables,
    /// The size of the file that holds the data clusters.
    data_size: u64,
}

impl GuestMap {
    pub(crate) fn new(header: &Header, data_size: u64, budget_bytes: u64) -> Self {
        let geometry = header.geometry();
        let l1 = header.fields.l1;
        let l2_tables = header.virtual_size().div_ceil(geometry.table_reach()).min(l1.entries.into());
        let l2_bytes = l2_tables.saturating_mul(geometry.cluster_bytes());
        let tables_bytes = l2_bytes.saturating_add(l2_tables.saturating_mul(8));
        let zero_flag = if header.version() == 2 { ZeroFlag::Reserved } else { ZeroFlag::Known };
        let data = if header.has_data_file() { DataIn::DataFile } else { DataIn::Image };
        Self {
            rules: Rules { geometry, zero_flag, data },
            l1,
            tables: Tables::new(geometry.cluster_bytes(), tables_bytes, budget_bytes),
            data_size,
        }
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.rules.geometry
    }

    /// The run that begins at `guest`, as far as it and `max_len` reach. `image` is the file that has the
    /// tables.
    ///
    /// A run goes on over the borders of slices and tables. Damage behind its first byte only ends it.
    pub(crate) fn locate<S: ReadAt>(
        &self,
        image: &Measured<S>,
        guest: GuestOffset,
        max_len: u64,
    ) -> Result<Run> {
        let mut run = self.locate_in_slice(image, guest, max_len)?;
        while run.end == RunEnd::Open && run.len < max_len {
            let left = max_len.saturating_sub(run.len);
            match self.locate_in_slice(image, guest.advance(run.len), left) {
                Ok(next) => run.join(&next),
                Err(_) => break,
            }
        }
        self.within_file(run, guest)
    }

    fn locate_in_slice<S: ReadAt>(
        &self,
        image: &Measured<S>,
        guest: GuestOffset,
        max_len: u64,
    ) -> Result<Run> {
        let Some(table) = self.l2_table(image, guest)? else {
            let len = self.geometry().left_in_table(guest).min(max_len);
            return Ok(Run { target: Target::Unallocated, len, end: RunEnd::Open });
        };
        let at = table.advance(self.geometry().offset_in_table(guest));
        let run = self.tables.read(image, at, "L2 table", |words| self.rules.run(words, guest, max_len))?;
        run.map_err(|defect| corrupt("L2 table", at, &defect, guest))
    }

    fn l2_table<S: ReadAt>(&self, image: &Measured<S>, guest: GuestOffset) -> Result<L1Entry> {
        let index = self.geometry().l1_index(guest);
        let at = self.l1.offset.advance(index.saturating_mul(8));
        let entry = if index < self.l1.entries.into() {
            self.tables.read(image, at, "L1 table", |words| l1::parse(words.first(), self.geometry()))?
        } else {
            Err(l1::Defect::NotMapped)
        };
        entry.map_err(|defect| corrupt("L1 table", at, &defect, guest))
    }

    /// Cuts a run of data to what the file has of it. A file may end within its last cluster, the rest of
    /// which is zeros; a cluster that begins behind the end of the file is lost.
    fn within_file(&self, run: Run, guest: GuestOffset) -> Result<Run> {
        let Target::Data(host) = run.target else { return Ok(run) };
        let in_file = self.data_size.saturating_sub(host.0);
        if in_file > 0 {
            return Ok(Run { len: run.len.min(in_file), ..run });
        }
        let file_end = self.data_size.checked_next_multiple_of(self.geometry().cluster_bytes());
        let padding = file_end.unwrap_or(u64::MAX).saturating_sub(host.0);
        if padding > 0 {
            return Ok(Run { target: Target::Zero, len: run.len.min(padding), end: RunEnd::Closed });
        }
        let structure = match self.rules.data {
            DataIn::Image => "data cluster",
            DataIn::DataFile => "data file cluster",
        };
        Err(corrupt(structure, host, &"the cluster lies beyond the end of the file", guest))
    }
}

#[cold]
fn corrupt(structure: &'static str, at: HostOffset, defect: &dyn Display, guest: GuestOffset) -> Error {
    Corrupt::new(structure, at.0, defect.to_string()).at_guest(guest).into()
}
