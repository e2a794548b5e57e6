use std::fmt;

use crate::disk::Guid;

/// What a partition table says a partition is for. Shown by name where it is a common one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartitionKind {
    /// The type byte of an MBR.
    Mbr(u8),
    /// The type GUID of a GPT.
    Gpt(Guid),
}

const MBR_NAMES: &[(u8, &str)] = &[
    (0x05, "extended"),
    (0x06, "FAT16"),
    (0x07, "NTFS or exFAT"),
    (0x0b, "FAT32"),
    (0x0c, "FAT32"),
    (0x0e, "FAT16"),
    (0x0f, "extended"),
    (0x82, "Linux swap"),
    (0x83, "Linux"),
    (0x85, "extended"),
    (0x8e, "Linux LVM"),
    (0xef, "EFI system"),
    (0xfd, "Linux RAID"),
];

const GPT_NAMES: &[(Guid, &str)] = &[
    (Guid::from_digits(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b), "EFI system"),
    (Guid::from_digits(0x2168_6148_6449_6e6f_744e_6565_6445_4649), "BIOS boot"),
    (Guid::from_digits(0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4), "Linux"),
    (Guid::from_digits(0x0657_fd6d_a4ab_43c4_84e5_0933_c84b_4f4f), "Linux swap"),
    (Guid::from_digits(0xe6d6_d379_f507_44c2_a23c_238f_2a3d_f928), "Linux LVM"),
    (Guid::from_digits(0xa19d_880f_05fc_4d3b_a006_743f_0f84_911e), "Linux RAID"),
    (Guid::from_digits(0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709), "Linux root, x86-64"),
    (Guid::from_digits(0xb921_b045_1df0_41c3_af44_4c6f_280d_3fae), "Linux root, ARM64"),
    (Guid::from_digits(0xbc13_c2ff_59e6_4262_a352_b275_fd6f_7172), "Linux boot"),
    (Guid::from_digits(0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7), "Windows data"),
    (Guid::from_digits(0xe3c9_e316_0b5c_4db8_817d_f92d_f002_15ae), "Windows reserved"),
    (Guid::from_digits(0x7c34_57ef_0000_11aa_aa11_0030_6543_ecac), "APFS"),
];

impl fmt::Display for PartitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mbr(kind) => match MBR_NAMES.iter().find(|(known, _)| known == kind) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "type {kind:#04x}"),
            },
            Self::Gpt(kind) => match GPT_NAMES.iter().find(|(known, _)| known == kind) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "type {kind}"),
            },
        }
    }
}
