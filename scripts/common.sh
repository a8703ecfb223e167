# Sourced by ./run, ./test, ./culvert and .ci/run: finds the tools and builds the program.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CULVERT_DLL=$ROOT/artifacts/bin/Culvert.Cli/release/culvert.dll
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# A restored set of packages must be the one that was reviewed.
[ "${CI:-}" = true ] && export RestoreLockedMode=true

say() { printf '%s\n' "== $*" >&2; }
fail() { printf '%s\n' "$(basename "$0"): $*" >&2; exit 1; }

# need COMMAND=PACKAGE...: installs the Debian packages whose commands are missing (COMMAND may be an absolute path).
need() {
    local pair missing=()
    for pair; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || [ -e "${pair%%=*}" ] || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "missing: ${missing[*]}; install them (as root, on Debian: apt-get install ${missing[*]})"
    fi
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local log; log=$(mktemp)
    # The list of packages may be old or absent: fetch it only when the first try fails.
    apt-get -o DPkg::Lock::Timeout=120 install -qy --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
        { apt-get -o DPkg::Lock::Timeout=120 update -q >"$log" 2>&1 &&
          apt-get -o DPkg::Lock::Timeout=120 install -qy --no-install-recommends "${missing[@]}" >"$log" 2>&1; } ||
        { tail -5 "$log" >&2; rm -f "$log"; fail "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
}

need_dotnet() {
    command -v dotnet >/dev/null 2>&1 && dotnet --list-sdks | grep -q '^10\.' && return 0
    if apt-cache show dotnet-sdk-10.0 >/dev/null 2>&1; then
        need "/usr/share/dotnet/sdk/10=dotnet-sdk-10.0"
    else
        fail "missing: the .NET 10 SDK; install it as https://dot.net describes, so that 'dotnet --version' answers 10.x"
    fi
}

# Builds the program when a source file is newer than it. Says so; the output is shown only when the build fails.
build_culvert() {
    need_dotnet
    if [ -e "$CULVERT_DLL" ] && [ -z "$(find "$ROOT/src" "$ROOT"/Directory.* "$ROOT/global.json" -newer "$CULVERT_DLL" \
            \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' -o -name '*.targets' -o -name 'global.json' \) -print -quit)" ]; then
        return 0
    fi
    say "building culvert (the first time takes a minute or two)"
    local log; log=$(mktemp)
    dotnet build "$ROOT/src/Culvert.Cli" -c Release -v quiet >"$log" 2>&1 ||
        { cat "$log" >&2; rm -f "$log"; fail "the build failed; see above"; }
    rm -f "$log"
    touch "$CULVERT_DLL"
}
