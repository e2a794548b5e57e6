#!/bin/bash
# Makes a small disk as Docker for Mac's HyperKit VM had it, filled by a real dockerd, and writes down what dockerd and
# the kernel said of it:
#
#     make-docker-disk.sh OUT.qcow2 TRUTH-DIR
#
# MBR with a swap partition and an ext4 partition that the VM mounts at /var; see README.md for what is on it. Needs
# root, dockerd and docker (Debian's docker.io), busybox-static, mkfs.ext4, sfdisk, qemu-img, curl, python3, setfacl and
# setcap. Everything happens in namespaces of its own: whatever goes wrong, no mount, process or file stays behind, and
# a Docker that runs on the same machine is not touched. OUT.qcow2 and TRUTH-DIR are replaced at the end, if all went well.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

SWAP_MIB=8
DATA_MIB=160

main() {
    [ $# -eq 2 ] || { echo "usage: make-docker-disk.sh OUT.qcow2 TRUTH-DIR" >&2; exit 2; }
    local out truth
    out=$(realpath -m "$1") truth=$(realpath -m "$2")
    work=$(mktemp -d /tmp/make-docker-disk.XXXXXX) inside=
    # unshare ignores gentler signals; its death is that of all in the namespace.
    trap '[ -z "$inside" ] || kill -KILL "$inside" || true; rm -rf "$work"' EXIT
    mkdir "$work/truth"

    make_partitions
    # A mount namespace so that the data root really is /var/lib/docker, a PID namespace so that nothing outlives us.
    unshare --mount --pid --fork --kill-child --mount-proc \
        bash "${BASH_SOURCE[0]}" --in-namespaces "$work" &
    inside=$!
    wait "$inside"
    inside=
    e2fsck -fn "$work/data" >"$work/fsck" 2>&1 || { cat "$work/fsck" >&2; exit 1; }
    assemble_disk

    mkdir -p "$(dirname "$out")" "$truth"
    qemu-img convert -c -f raw -O qcow2 -o compat=1.1,lazy_refcounts=on "$work/disk" "$work/disk.qcow2"
    mv "$work/disk.qcow2" "$out"
    find "$truth" -mindepth 1 -delete
    cp -r "$work/truth/." "$truth/"
}

make_partitions() {
    truncate -s "${SWAP_MIB}M" "$work/swap"
    mkswap --quiet "$work/swap"
    truncate -s "${DATA_MIB}M" "$work/data"
    # linuxkit's options (pkg/format); block and inode size as on a large disk, a journal as on a small one.
    mkfs.ext4 -q -F -b 4096 -I 256 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 \
        -O resize_inode,has_journal,extent,huge_file,flex_bg,uninit_bg,64bit,dir_nlink,extra_isize "$work/data"
}

assemble_disk() {
    truncate -s "$((1 + SWAP_MIB + DATA_MIB))M" "$work/disk"
    printf '%s\n' "label: dos" "label-id: 0x0d0c4e12" \
        "start=1MiB, size=${SWAP_MIB}MiB, type=82" "start=$((1 + SWAP_MIB))MiB, type=83" |
        sfdisk --quiet "$work/disk"
    dd if="$work/swap" of="$work/disk" bs=1M seek=1 conv=sparse,notrunc status=none
    dd if="$work/data" of="$work/disk" bs=1M seek=$((1 + SWAP_MIB)) conv=sparse,notrunc status=none
}

in_namespaces() {
    work=$1 truth=$1/truth
    mount -t tmpfs tmpfs /run
    mount -o loop "$work/data" /var
    ln -s /run /var/run
    mkdir -p /var/lib /var/log /var/tmp
    export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$work/docker-config DOCKER_BUILDKIT=0
    unset DOCKER_CONTEXT
    mkdir "$work/docker-config"

    start_engine
    make_images
    make_volumes
    make_containers
    python3 "$here/fill_volumes.py" /var/lib/docker/volumes
    write_truth
    stop_engine
    write_manifests
    copy_records
    fstrim /var
    umount /var
}

start_engine() {
    echo '{}' >"$work/daemon.json"
    dockerd --config-file "$work/daemon.json" --data-root /var/lib/docker --exec-root /run/docker \
        --pidfile /run/docker.pid -H "$DOCKER_HOST" --iptables=false --bridge=none --storage-driver overlay2 \
        >"$work/dockerd.log" 2>&1 &
    for _ in $(seq 120); do
        docker version >"$work/version" 2>&1 && return
        sleep 0.5
    done
    cat "$work/dockerd.log" >&2
    return 1
}

stop_engine() {
    kill "$(cat /run/docker.pid)"
    wait
}

make_images() {
    mkdir -p "$work/base/bin" "$work/base/etc" "$work/base/tmp" "$work/app"
    chmod 1777 "$work/base/tmp"
    cp "$(command -v busybox)" "$work/base/bin/busybox"
    for applet in sh cat chmod cp echo ln ls mkdir mv rm sleep; do ln -s busybox "$work/base/bin/$applet"; done
    echo 'root:x:0:0:root:/:/bin/sh' >"$work/base/etc/passwd"
    tar -C "$work/base" --numeric-owner --owner=0 --group=0 -c . |
        docker import --change 'CMD ["/bin/sh"]' - busybox:1 >"$work/log"

    cat >"$work/app/Dockerfile" <<'DOCKERFILE'
FROM busybox:1
LABEL org.opencontainers.image.title="shop" description="Läden & \"quotes\""
ENV SHOP_MODE=production
RUN mkdir -p /opt/a /opt/b /opt/c && echo one >/opt/a/one && echo two >/opt/b/two && echo three >/opt/c/three
RUN rm /opt/a/one && rm -rf /opt/b && mkdir /opt/b && echo new >/opt/b/new
RUN echo tool >/opt/tool && chmod 4755 /opt/tool && ln /opt/tool /opt/tool-too && ln -s ../tool /opt/c/link
COPY entry.sh /entry.sh
EXPOSE 5432/tcp
VOLUME /cache
WORKDIR /opt
ENTRYPOINT ["/bin/sh", "/entry.sh"]
CMD ["serve"]
DOCKERFILE
    cat >"$work/app/entry.sh" <<'SCRIPT'
trap 'echo stopping; exit 0' TERM
echo "mode $SHOP_MODE, $1"
echo "a warning" >&2
echo cached >/cache/entry
echo scratch >/opt/a/written-by-$1
rm -rf /opt/b/new /opt/c
[ "$1" = serve ] || exit 3
sleep 1000 &
wait
SCRIPT
    docker build --quiet --network=none --tag shop:1.0 --tag shop:latest "$work/app" >"$work/log"
}

make_volumes() {
    for volume in \
        "shop_db-data --label com.docker.compose.project=shop --label com.docker.compose.version=2.20.0 --label com.docker.compose.volume=db-data" \
        "every-kind --label purpose=test --label note=Größe,α=β --label empty=" \
        "static-site --label team=web" \
        "empty" \
        "scratch-tmpfs --opt type=tmpfs --opt device=tmpfs --opt o=size=10m,uid=1000" \
        "host-bind --opt type=none --opt o=bind --opt device=/srv/data" \
        "media-nfs --label mount=remote --opt type=nfs --opt o=addr=192.0.2.10,rw,nfsvers=4 --opt device=:/export/media"; do
        # shellcheck disable=SC2086 # the words of one volume
        docker volume create $volume >"$work/log"
    done
}

make_containers() {
    docker run --detach --name shop_db --network none --hostname db \
        --label com.docker.compose.project=shop --label com.docker.compose.service=db --restart unless-stopped \
        --volume shop_db-data:/var/lib/db --volume /etc/hostname:/host-name:ro --env PASSWORD=secret \
        shop:1.0 serve >"$work/log"
    docker run --name shop_web --network none --volume static-site:/www:ro --volume every-kind:/opt/kinds \
        shop:1.0 once >"$work/log" 2>&1 || [ $? -eq 3 ]
    docker create --name never_started --network none --tmpfs /scratch --volume /anonymous \
        --mount type=volume,source=shop_db-data,target=/backup,readonly busybox:1 echo hello >"$work/log"
    docker stop shop_db >"$work/log"
}

# What the engine says, in its own JSON.
write_truth() {
    docker version --format '{{json .Server}}' >"$truth/version.json"
    docker volume ls --quiet | xargs docker volume inspect >"$truth/volumes.json"
    docker ps --all --quiet --no-trunc | xargs docker inspect --size >"$truth/containers.json"
    docker image ls --all --quiet --no-trunc | sort -u | xargs docker image inspect >"$truth/images.json"
    for request in df:/system/df ps:/containers/json?all=1 image-ls:/images/json; do
        curl --silent --fail --unix-socket /run/docker.sock "http://engine${request#*:}" >"$truth/${request%%:*}.json"
    done
    mkdir "$truth/containers"
    for container in $(docker ps --all --format '{{.Names}}'); do
        docker diff "$container" | LC_ALL=C sort >"$truth/containers/$container.diff.txt"
        docker logs "$container" >"$truth/containers/$container.stdout.txt" 2>"$truth/containers/$container.stderr.txt"
        mkdir "$work/export"
        docker export "$container" | tar -C "$work/export" --numeric-owner -xp
        python3 "$here/manifest.py" "$work/export" >"$truth/containers/$container.export.jsonl"
        rm -rf "$work/export"
    done
}

# What the kernel shows of each volume.
write_manifests() {
    mkdir "$truth/volumes"
    for data in /var/lib/docker/volumes/*/_data; do
        python3 "$here/manifest.py" "$data" >"$truth/volumes/$(basename "$(dirname "$data")").jsonl"
    done
}

# The files in which the engine keeps its records of volumes and containers.
copy_records() {
    mkdir "$truth/data-root"
    (cd /var/lib/docker &&
        cp --parents volumes/metadata.db volumes/*/opts.json containers/*/{config.v2,hostconfig}.json "$truth/data-root")
}

if [ "${1-}" = --in-namespaces ]; then in_namespaces "$2"; else main "$@"; fi
