using System.Globalization;

namespace Proxy.Operations;

/// <summary>How many files and connections the process may have open.</summary>
internal static class OpenFileLimit
{
    /// <summary>
    /// The fewest that the proxy starts with: about 200 for the runtime, the databases and the files of settings, 16
    /// connections to each of 16 PACS, and 6 connections of each of 90 viewers. A limit that is reached later fails
    /// requests one by one, which is harder to understand than a start that is refused.
    /// </summary>
    public const int Least = 1024;

    private const string Limits = "/proc/self/limits";

    /// <summary>What is wrong with the limit and how to raise it; null when it is high enough, or the system tells nothing of it.</summary>
    public static string? FindShortage()
    {
        // The runtime has raised the soft limit to the hard one before this runs.
        try
        {
            return OperatingSystem.IsLinux() ? FindShortage(File.ReadAllText(Limits)) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <param name="limits">The content of <c>/proc/self/limits</c>.</param>
    public static string? FindShortage(string limits)
    {
        var line = limits.Split('\n').FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        if (line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [_, _, _, var soft, ..]) return null;
        if (!int.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) || limit >= Least) return null;
        return $"the limit of open files is {limit}, and at least {Least} are needed: raise it with \"ulimit -n 65536\", "
            + "LimitNOFILE=65536 (systemd) or --ulimit nofile=65536 (docker)";
    }
}
