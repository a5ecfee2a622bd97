# Sourced by test/run, test/demo/run and the other scripts that need a server.
#
# Installs the packages that are missing, copies PostgreSQL into a temporary
# folder, builds the extension there and leaves everything else alone: no file
# of the system or of this tree is written.  Works as root, where the server
# runs as another user, and as a user with sudo.
#
# Sets: tree (this checkout), work (the temporary folder, removed at exit),
# src (a copy of the tree, built), pg (PostgreSQL's bin folder), PATH, PGHOST.

set -eu
tree=$(cd "$(dirname "$0")" && pwd)
while [ ! -f "$tree/usage_limits.control" ]; do
	[ "$tree" != / ] || { echo "error: $0 is not in a checkout of usage_limits" >&2; exit 1; }
	tree=$(dirname "$tree")
done

export LC_ALL=C.UTF-8 TZ=UTC DEBIAN_FRONTEND=noninteractive PGTZ=UTC
unset PGDATABASE PGUSER PGPORT PGHOST PGOPTIONS PGSERVICE PGPASSWORD 2>/dev/null || true

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null 2>&1; then sudo -E "$@"
	else fail "packages are missing ($*): install them, or run this with sudo"
	fi
}

# The newest PostgreSQL (15 to 18) that is installed with its headers.
find_postgres() {
	for major in ${PG_MAJOR:-18 17 16 15}; do
		home=/usr/lib/postgresql/$major
		[ -x "$home/bin/postgres" ] && [ -f "$home/lib/pgxs/src/makefiles/pgxs.mk" ] && return 0
	done
	return 1
}

install_packages() {
	missing=
	for package in make gcc libc6-dev libipc-run-perl "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	find_postgres || missing="$missing postgresql"
	[ -z "$missing" ] && return 0
	command -v apt-get >/dev/null 2>&1 || fail "these packages are needed:$missing"
	as_root apt-get update -qq >/dev/null
	case $missing in *postgresql*)
		major=${PG_MAJOR:-$(apt-cache show postgresql | sed -n 's/^Depends:.*postgresql-\([0-9]*\).*/\1/p' | head -n 1)}
		[ "${major:-0}" -ge 15 ] || fail "PostgreSQL 15 or later is needed, this system has ${major:-none}"
		missing=$(printf '%s' "$missing" | sed "s/ postgresql\$/ postgresql-$major postgresql-server-dev-$major/")
	esac
	say "installing$missing"
	# shellcheck disable=SC2086 # a list of words
	as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
	find_postgres || fail "PostgreSQL was installed, but is not in /usr/lib/postgresql"
}

# Runs a command as the user that the server runs as.
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid="$user" --regid="$user" --init-groups env HOME="$work" "$@"
	else
		"$@"
	fi
}

clean_up() {
	status=$?
	trap - EXIT INT TERM
	for pidfile in "$work"/*/postmaster.pid; do
		[ -f "$pidfile" ] && as_user "$pg/pg_ctl" -D "$(dirname "$pidfile")" -m immediate stop >/dev/null 2>&1 || true
	done
	[ -n "${KEEP:-}" ] && say "kept $work" || rm -rf "$work"
	exit $status
}

# A copy of PostgreSQL to install into: its programs find their files by where they are.
copy_postgres() {
	mkdir -p "$work/pg/usr/lib/postgresql" "$work/pg/usr/share/postgresql"
	cp -a "$home" "$work/pg/usr/lib/postgresql/"
	cp -a "/usr/share/postgresql/$major" "$work/pg/usr/share/postgresql/"
	mkdir -p "$work/pg/usr/include"
	ln -s /usr/include/postgresql "$work/pg/usr/include/postgresql"
	pg=$work/pg/usr/lib/postgresql/$major/bin
	PATH=$pg:$PATH
	export PATH
}

# Builds and installs a copy of the tree; arguments go to make.
build() {
	src=$work/src
	mkdir "$src"
	(cd "$tree" && git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -type f -print0) |
		(cd "$tree" && tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null) | tar -C "$src" -xf -
	[ "$(id -u)" = 0 ] && chown -R "$user" "$work"
	as_user make -s -C "$src" with_llvm=no "$@" PG_CONFIG="$pg/pg_config" >"$work/build.log" 2>&1 ||
		{ cat "$work/build.log" >&2; fail "the build failed"; }
	as_user make -s -C "$src" with_llvm=no "$@" PG_CONFIG="$pg/pg_config" install >>"$work/build.log" 2>&1 ||
		{ cat "$work/build.log" >&2; fail "the installation failed"; }
}

# start_server NAME [SETTING...]: a new server in $work/NAME, on a socket in $work.
start_server() {
	name=$1
	shift
	as_user "$pg/initdb" -D "$work/$name" -A trust -U postgres --no-sync >"$work/$name.init.log" 2>&1 ||
		{ cat "$work/$name.init.log" >&2; fail "initdb failed"; }
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$work'"
		echo "max_prepared_transactions = 10"
		for setting in "$@"; do echo "$setting"; done
	} | as_user tee -a "$work/$name/postgresql.conf" >/dev/null
	as_user "$pg/pg_ctl" -w -D "$work/$name" -l "$work/$name.log" start >/dev/null ||
		{ cat "$work/$name.log" >&2; fail "the server did not start"; }
}

work=$(mktemp -d "${TMPDIR:-/tmp}/usage_limits.XXXXXX")
chmod 755 "$work"
pg=
trap clean_up EXIT
trap 'exit 130' INT TERM
install_packages ${NEEDS:-}
user=$(id -un)
[ "$(id -u)" = 0 ] && user=postgres
export PGHOST="$work" PGUSER=postgres
copy_postgres
