namespace Culvert.Interop.Harness;

/// <summary>What these tests need from the machine. What is missing skips the test with its name and the remedy, or fails it where
/// <c>CULVERT_REQUIRE_INTEROP=1</c> says that nothing may be skipped.</summary>
public static class Requirements
{
    public const string RequireVariable = "CULVERT_REQUIRE_INTEROP";
    public const string SharedVariable = "CULVERT_SHARED";

    private static readonly (string File, string Package)[] BasicPrograms =
    [
        ("ip", "iproute2"), ("busybox", "busybox"), ("tcpdump", "tcpdump"), ("tshark", "tshark"), ("ethtool", "ethtool"), ("setsid", "util-linux"),
    ];

    private static readonly (string File, string Package)[] GuestPrograms =
    [
        ("linux.uml", "user-mode-linux"), ("xl2tpd", "xl2tpd"), ("pppd", "ppp"), ("modprobe", "kmod"), ("perl", "perl-base"),
    ];

    private static readonly Lazy<string> RepositoryRoot = new(FindRepositoryRoot);

    public static string Repository => RepositoryRoot.Value;

    /// <summary>The folder with the rig: <c>CULVERT_SHARED</c>/rig, or ../shared/rig beside the repository.</summary>
    public static string Rig =>
        Path.GetFullPath(Path.Combine(Environment.GetEnvironmentVariable(SharedVariable) ?? Path.Combine(Repository, "..", "shared"), "rig"));

    /// <summary>The program under test, of the same configuration as the tests.</summary>
    public static string CulvertProgram
    {
        get
        {
            string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
            return Path.Combine(Repository, "artifacts", "bin", "Culvert.Cli", configuration, "culvert.dll");
        }
    }

    public static void Tshark() => Check(Missing([("tshark", "tshark")]));

    /// <summary>Root, TUN, network namespaces and our own program.</summary>
    public static void Namespaces() => Check(BasicProblems().Concat(ProgramProblem()));

    /// <summary>The same, the rig and its User-Mode Linux guests with xl2tpd.</summary>
    public static void Guests(bool culvert = true) =>
        Check(BasicProblems().Concat(culvert ? ProgramProblem() : []).Concat(RigProblem()).Concat(Missing(GuestPrograms)));

    public static void L2tpns() =>
        Check(BasicProblems().Concat(ProgramProblem()).Concat(RigProblem()).Concat(Missing([("l2tpns", "l2tpns"), ("freeradius", "freeradius")])));

    public static void SoftEther() =>
        Check(BasicProblems().Concat(ProgramProblem()).Concat(RigProblem()).Concat(Missing(
            [("/usr/libexec/softether/vpnserver/vpnserver", "softether-vpnserver"), ("/usr/libexec/softether/vpncmd/vpncmd", "softether-vpncmd")])));

    public static void Transfers() => Check(Missing([("curl", "curl"), ("ethtool", "ethtool")]));

    public static void Streams() => Check(Missing([("iperf3", "iperf3"), ("ethtool", "ethtool")]));

    private static void Check(IEnumerable<string> problems)
    {
        string text = string.Join("; ", problems);
        if (text.Length == 0)
        {
            return;
        }

        if (Environment.GetEnvironmentVariable(RequireVariable) == "1")
        {
            Assert.Fail($"{RequireVariable}=1, but: {text}");
        }

        Assert.Skip(text);
    }

    private static IEnumerable<string> BasicProblems()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            yield return "not root: run the interoperation tests with sudo";
        }

        if (!File.Exists("/dev/net/tun"))
        {
            yield return "/dev/net/tun is missing: modprobe tun";
        }

        if (!File.Exists("/proc/self/ns/net"))
        {
            yield return "this kernel has no network namespaces";
        }

        foreach (string problem in Missing(BasicPrograms))
        {
            yield return problem;
        }
    }

    private static IEnumerable<string> ProgramProblem()
    {
        if (!File.Exists(CulvertProgram))
        {
            yield return $"{CulvertProgram} is missing: dotnet build src/Culvert.Cli";
        }
    }

    private static IEnumerable<string> RigProblem()
    {
        if (!File.Exists(Path.Combine(Rig, "bin", "uml-host.sh")))
        {
            yield return $"the rig is not at {Rig}: set {SharedVariable} to the folder that holds rig/";
        }
    }

    private static IEnumerable<string> Missing(IEnumerable<(string File, string Package)> programs)
    {
        List<string> packages = [.. programs.Where(p => !IsInstalled(p.File)).Select(p => p.Package)];
        return packages.Count == 0 ? [] : [$"packages are missing: apt-get install {string.Join(' ', packages)}"];
    }

    private static bool IsInstalled(string file)
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(':'), "/usr/sbin", "/sbin", "/usr/bin"];
        return folders.Any(folder => File.Exists(Path.Combine(folder, file)));
    }

    private static string FindRepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Culvert.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InteropException($"no Culvert.slnx above {AppContext.BaseDirectory}");
    }
}
