# Sourced by the checks: goes to the top of the tree.  Each check is a script
# that reads the tree alone, says what is wrong and exits 1, or is silent.

set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."

# The files of the tree, committed or new, that match a pattern; all without one.
files() {
	if [ -e .git ]; then
		git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard
	else
		find . \( -name .git -o -name node_modules -o -name dist \) -prune -o -type f ! -name '*.o' ! -name '*.so' ! -name '*.bc' -print | sed 's,^\./,,'
	fi | while read -r file; do
		[ -f "$file" ] && printf '%s\n' "$file"
	done | grep -E "${1:-.}" | sort
}

bad=0
wrong() {
	printf '%s\n' "$@"
	bad=1
}
