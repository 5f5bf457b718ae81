# shellcheck shell=sh
# Puts this checkout where Ansible looks for collections: .ansible/collections/ansible_collections/metalpool/core.
# Usage: bash tests/link_collection.sh (from anywhere; safe to repeat)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/.ansible/collections/ansible_collections/metalpool"
ln -sfn ../../../.. "$root/.ansible/collections/ansible_collections/metalpool/core"
