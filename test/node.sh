# Sourced by the suites that need Node: finds Node and npm, sources setup.sh,
# builds the extension, installs the packages of package-lock.json into the copy
# of the tree and goes there.  Exits 77, with a line that says why, where there
# is no Node 18 or newer, or no npm, and none can be installed.
#
# Reads what setup.sh reads.  Sets what setup.sh and build set.  Commands of the
# packages run by "node_run COMMAND...", which is a case that it reports:
# "step NAME COMMAND...".

has_node() { command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; }
has_node || WANTS="${WANTS:-} nodejs npm"
. "$(dirname "$0")/setup.sh"
has_node || { echo "skipped: there is no Node 18 or newer with npm"; exit 77; }

# As the user that the server runs as, in the copy of the tree.
node_run() {
	# HOME is the temporary folder: npm keeps its cache there
	as_user env npm_config_update_notifier=false npm_config_loglevel=error npm_config_audit=false \
		npm_config_fund=false NO_COLOR=1 PATH="$src/node_modules/.bin:$PATH" "$@"
}

# step NAME COMMAND...: runs it, says nothing but whether it succeeded; without
# success also its output.
step() {
	name=$1
	shift
	if node_run "$@" >"$work/step.log" 2>&1; then echo "ok - $name"; else
		echo "not ok - $name"
		tail -n 200 "$work/step.log"
		return 1
	fi
}

say "building usage_limits for a throw-away server ..."
build
cd "$src"
# not npm ci: it refuses where a registry lacks packages for other platforms
step "the packages of package-lock.json are installed" npm install --no-save || exit 1
