# shellcheck shell=bash
# Everything that says whether the collection and the service are well made, without starting either.
# Usage: bash tests/checks.sh [name ...]    the names are those of the functions below; all of them by default
#
# Runs from any directory, with the tools of .venv when it is there, and leaves nothing behind but dist/.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
[ -d .venv ] && PATH="$root/.venv/bin:$PATH"
export PATH
python=3.11
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bash tests/link_collection.sh
linked="$root/.ansible/collections/ansible_collections/metalpool/core"
export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=False

heading() { printf '\n=== %s\n' "$*"; }

ruff_check() {
    heading "ruff: style and likely mistakes"
    ruff check --output-format=concise .
}

mypy_check() {
    heading "mypy --strict: types of the service and of the command"
    mypy --strict
}

sanity() {
    heading "ansible-test sanity: what every collection has to keep to"
    python tests/utils/get_pip_shim.py --install
    # The content root is the link: the repository's own path is not below ansible_collections/.
    ANSIBLE_TEST_CONTENT_ROOT="$linked" ansible-test sanity --python "$python" --color no "$@"
}

ansible_lint() {
    heading "ansible-lint: roles and playbooks, production profile"
    ansible-lint --offline --nocolor -q
}

docs() {
    heading "antsibull-docs: documentation of plugins and roles"
    antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --validate-collection-refs=all .
}

changelog() {
    heading "antsibull-changelog: changelog and its fragments"
    antsibull-changelog lint
}

artifact() {
    heading "artifact: builds, installs into an empty place, and every plugin and role in it has its documentation"
    rm -f dist/metalpool-core-*.tar.gz
    ansible-galaxy collection build --force --output-path dist
    ansible-galaxy collection install dist/metalpool-core-*.tar.gz -p "$scratch/installed" --offline --force
    local here="$scratch/installed/ansible_collections/metalpool/core" kind
    for unwanted in command inventory_service tests pyproject.toml Makefile .venv ansible.cfg playbooks/ansible.cfg playbooks/nodes.metalpool.yml; do
        if [ -e "$here/$unwanted" ]; then echo "$unwanted must not be in the artifact (build_ignore in galaxy.yml)"; return 1; fi
    done
    (
        cd "$scratch"
        export ANSIBLE_COLLECTIONS_PATH="$scratch/installed"
        for kind in module inventory role; do
            ansible-doc -t "$kind" -l metalpool.core | awk '{print $1}' | grep '^metalpool' | sort -u >"$kind.names"
            echo "$kind: $(wc -l <"$kind.names")"
            xargs -r ansible-doc -t "$kind" <"$kind.names" >/dev/null
        done
        for playbook in "$here"/playbooks/*.yml; do
            ansible-playbook --syntax-check "metalpool.core.$(basename "$playbook" .yml)" >/dev/null
        done
    )
}

galaxy_importer() {
    heading "galaxy-importer: what Galaxy would say"
    rm -f dist/metalpool-core-*.tar.gz
    ansible-galaxy collection build --force --output-path dist
    # It unpacks the artifact by itself; the path of this checkout would only make it see the collection twice.
    (
        export GALAXY_IMPORTER_CONFIG="$root/tests/galaxy-importer.cfg"
        artifact=$(echo "$root"/dist/metalpool-core-*.tar.gz)
        cd "$scratch"
        python -m galaxy_importer.main "$artifact" >"$scratch/importer.log" 2>&1 || { cat "$scratch/importer.log"; exit 1; }
        if grep -E '^(WARNING|ERROR)' "$scratch/importer.log"; then exit 1; fi
        tail -n 1 "$scratch/importer.log" | cut -c 1-200
    )
}

if [ $# -eq 0 ]; then
    set -- ruff_check mypy_check sanity ansible_lint docs changelog artifact galaxy_importer
fi
failed=""
for name in "$@"; do
    "$name" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    heading "FAILED:$failed"
    exit 1
fi
heading "all checks passed"
