#!/bin/sh
# Installs the gateway as it is shipped, into a virtual environment of its own:
#
#   scripts/install.sh requirements VENV   what it needs, PostgreSQL and Redis included: the locked versions, checked by hash
#   scripts/install.sh wheel VENV          the gateway: its wheel, built here, and nothing else
#
# The image and CI both call this, so that what is tested is what is shipped. The first `python` on
# PATH is to be that of a virtual environment with requirements/tool.txt, with `uv` beside it.
set -eu
usage="usage: scripts/install.sh requirements|wheel VENV"
what=${1:?$usage}
venv=${2:?$usage}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
cd "$(dirname "$0")/.."

# Copies, not links into a cache that the image does not have; and no cache to write at run time.
install() {
	UV_LINK_MODE=copy uv pip install --quiet --compile-bytecode --python "$venv/bin/python" "$@"
}

case $what in
requirements)
	python -m venv --clear --without-pip "$venv"
	install --require-hashes -r requirements/image.txt
	;;
wheel)
	rm -rf dist
	uv build --quiet --wheel --no-build-isolation --python "$(command -v python)" --out-dir dist
	install --no-deps dist/*.whl
	;;
*)
	echo "$usage" >&2
	exit 2
	;;
esac
