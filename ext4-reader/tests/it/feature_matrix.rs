//! File systems of every layout that mke2fs makes, each holding every kind of file, show what the kernel shows.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::image::{Image, kernel_manifest};
use crate::manifest;
use crate::support::{needs, sh};

#[test]
fn ext2() {
    matches_the_kernel(&[
        "-t ext2 -b 1024",
        "-t ext2 -b 2048",
        "-t ext2 -b 4096",
        "-t ext2 -b 4096 -I 128",
        "-t ext2 -b 1024 -O ^filetype",
        "-t ext2 -b 4096 -O ^dir_index",
        "-t ext2 -b 1024 -O ^sparse_super,^resize_inode",
        "-r 0 -b 1024",
    ]);
}

#[test]
fn ext3() {
    matches_the_kernel(&[
        "-t ext3 -b 1024",
        "-t ext3 -b 2048 -I 128",
        "-t ext3 -b 4096",
        "-t ext3 -b 2048 -O ^filetype",
    ]);
}

#[test]
fn block_sizes_and_inode_sizes() {
    matches_the_kernel(&[
        "-t ext4 -b 1024",
        "-t ext4 -b 2048",
        "-t ext4 -b 4096",
        "-t ext4 -b 4096 -I 128",
        "-t ext4 -b 4096 -I 512",
        "-t ext4 -b 1024 -I 1024",
        "-t ext4 -b 2048 -I 2048",
        "-t ext4 -b 4096 -O ^extra_isize",
    ]);
}

#[test]
fn checksums() {
    matches_the_kernel(&[
        "-t ext4 -b 4096 -O ^metadata_csum",
        "-t ext4 -b 4096 -O ^metadata_csum,uninit_bg",
        "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^64bit",
        "-t ext4 -b 4096 -O ^64bit",
        "-t ext4 -b 4096 -O metadata_csum_seed,orphan_file",
        "-t ext4 -b 4096 -O ^filetype",
    ]);
}

#[test]
fn layouts_of_groups() {
    matches_the_kernel(&[
        "-t ext4 -b 1024 -O ^flex_bg",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode,^64bit,^metadata_csum -g 1024",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode -g 256 -N 4096",
        "-t ext4 -b 1024 -O meta_bg,^resize_inode,^sparse_super -g 256 -N 4096",
        "-t ext4 -b 1024 -O meta_bg,bigalloc,^resize_inode -C 16384",
        "-t ext4 -b 1024 -O sparse_super2,^sparse_super,^resize_inode",
        "-t ext4 -b 4096 -O sparse_super2,^resize_inode -E num_backup_sb=1",
        "-t ext4 -b 1024 -g 1024 -N 4000 -G 4",
    ]);
}

#[test]
fn clusters_and_block_maps() {
    matches_the_kernel(&[
        "-t ext4 -b 4096 -O bigalloc -C 16384",
        "-t ext4 -b 1024 -O bigalloc -C 16384",
        "-t ext4 -b 1024 -O ^extent,^64bit",
        "-t ext4 -b 4096 -O ^extent,^64bit",
    ]);
}

#[test]
fn data_in_inodes() {
    matches_the_kernel(&[
        "-t ext4 -b 4096 -O inline_data",
        "-t ext4 -b 1024 -O inline_data -I 512",
        "-t ext4 -b 4096 -O inline_data -I 1024",
        "-t ext4 -b 2048 -O inline_data,^metadata_csum",
        "-t ext4 -b 4096 -O ea_inode",
        "-t ext4 -b 1024 -O ea_inode,inline_data -I 512",
    ]);
}

#[test]
fn journals_and_rarer_features() {
    matches_the_kernel(&[
        "-t ext4 -b 4096 -O ^has_journal",
        "-t ext4 -b 4096 -O fast_commit",
        "-t ext4 -b 4096 -O mmp -E mmp_update_interval=1",
        "-t ext4 -b 4096 -O verity",
        "-t ext4 -b 4096 -O encrypt,stable_inodes",
        "-t ext4 -b 1024 -O large_dir,^dir_index",
    ]);
}

#[test]
fn disks_of_docker_desktop() {
    matches_the_kernel(&[
        // linuxkit/pkg/format, from 2016 to this day: before e2fsprogs 1.43, since then, and since 1.47.
        "-t ext4 -O resize_inode,has_journal,extent,huge_file,flex_bg,uninit_bg,64bit,dir_nlink,extra_isize,^metadata_csum",
        "-t ext4 -b 4096 -O resize_inode,has_journal,extent,huge_file,flex_bg,uninit_bg,64bit,dir_nlink,extra_isize",
        "-t ext4 -b 4096 -O resize_inode,has_journal,extent,huge_file,flex_bg,uninit_bg,64bit,dir_nlink,extra_isize,metadata_csum_seed,orphan_file",
        // WSL 2.
        "-t ext4 -b 4096 -G 4096",
    ]);
}

/// A disk that was made larger, as the settings of Docker Desktop do, and then smaller again.
#[test]
fn resized_file_systems() {
    needs!("mke2fs", "e2fsck", "resize2fs", "python3", "loop");
    for variant in ["-t ext4 -b 1024", "-t ext4 -b 1024 -O ^resize_inode,^flex_bg", "-t ext3 -b 1024"] {
        let image = Image::new(&format!("{variant} -E lazy_itable_init=0"));
        let resize = |size: &str| {
            sh(
                "e2fsck -fp \"$1\" || [ $? = 1 ]; resize2fs \"$1\" $2",
                [image.path().as_os_str(), size.as_ref()],
            )
        };
        let same = || manifest::assert_same(variant, &manifest::of(&image.open()), &image.kernel_manifest());
        resize("1G");
        image.populate(3000);
        assert_eq!(image.open().superblock().blocks_count(), 1 << 20, "{variant}");
        same();
        resize("200M");
        same();
    }
}

/// Features that this kernel may refuse to mount, set after it has shown the tree. They do not change it.
#[test]
fn features_set_afterwards() {
    needs!("mke2fs", "tune2fs", "python3", "loop");
    let image = Image::new("-t ext4 -b 4096 -E lazy_itable_init=0");
    image.populate(800);
    let truth = image.kernel_manifest();
    for features in [
        "-O quota -Q usrquota,grpquota",
        "-O project,quota -Q prjquota",
        "-O casefold",
        "-O encrypt",
        "-O verity",
    ] {
        image.tune2fs(features);
        manifest::assert_same(features, &manifest::of(&image.open()), &truth);
    }
}

/// Blocks larger than a page of this machine's, which the kernel does not mount here. mke2fs copies a folder's files
/// into them, without the fractions of times, and hard links to symbolic links as links of their own.
#[test]
fn large_blocks() {
    needs!("mke2fs", "python3", "loop");
    let source = Image::new("-t ext4 -b 4096");
    source.populate(800);
    let mount = source.mount("ro");
    let truth = as_copied(kernel_manifest(mount.path()));
    let folder = mount.path().display();
    for variant in
        ["-b 8192", "-b 16384 -O ^metadata_csum", "-b 65536", "-b 65536 -O ^extent,^64bit,^metadata_csum"]
    {
        let copy = Image::with_size(&format!("-t ext4 {variant} -d {folder}"), 128);
        manifest::assert_same(variant, &as_copied(manifest::of(&copy.open())), &truth);
    }
}

fn as_copied(lines: Vec<String>) -> Vec<String> {
    let cut = |line: String| {
        let (before, rest) = line.split_once(",\"mtime_ns\":")?;
        let rest = rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
        Some(format!("{before}{rest}").replace(",\"link\":\"links/dangling\"", ""))
    };
    lines.into_iter().map(|line| cut(line).expect("a time")).collect()
}

fn matches_the_kernel(variants: &[&str]) {
    needs!("mke2fs", "python3", "loop", "fallocate");
    for variant in variants {
        let image = Image::new(variant);
        image.populate(800);
        let mount = image.mount("ro");
        let fs = image.open();
        manifest::assert_same(variant, &manifest::of(&fs), &kernel_manifest(mount.path()));
        for (path, inode) in manifest::tree(&fs) {
            let path = mount.path().join(Path::new(std::ffi::OsStr::from_bytes(&path)));
            crate::inode_fields::assert_same(variant, &path, &inode);
        }
        assert_eq!(fs.lost_files(), [], "{variant}");
        assert_eq!(fs.findings(), [], "{variant}");
        crate::check::assert_healthy(variant, &fs);
    }
}
