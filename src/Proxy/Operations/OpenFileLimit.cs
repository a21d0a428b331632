using System.Globalization;

namespace Proxy.Operations;

/// <summary>Checks the limit of open files and connections of the process.</summary>
internal static class OpenFileLimit
{
    /// <summary>
    /// The minimum: about 200 for the runtime, the databases and the settings files, 16 connections to each of 16 PACS,
    /// and 6 connections of each of 90 viewers. Reaching the limit later fails single requests, which is harder to
    /// diagnose than a refused start.
    /// </summary>
    public const int Min = 1024;

    private const string Limits = "/proc/self/limits";

    /// <summary>An error that says how to raise the limit; null if it is high enough or the system does not report it.</summary>
    public static string? FindShortage()
    {
        // The runtime has already raised the soft limit to the hard limit.
        try
        {
            return OperatingSystem.IsLinux() ? FindShortage(File.ReadAllText(Limits)) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The limit; null if the process has no limit, or the system does not report it.</summary>
    public static int? Find()
    {
        try
        {
            return OperatingSystem.IsLinux() ? Find(File.ReadAllText(Limits)) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <inheritdoc cref="FindShortage()"/>
    /// <param name="limits">The content of <c>/proc/self/limits</c>.</param>
    public static string? FindShortage(string limits)
    {
        if (Find(limits) is not { } limit || limit >= Min) return null;
        return $"the limit of open files is {limit}, but the proxy needs at least {Min}: raise it with \"ulimit -n 65536\", "
            + "LimitNOFILE=65536 (systemd) or --ulimit nofile=65536 (docker)";
    }

    private static int? Find(string limits)
    {
        var line = limits.Split('\n').FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, var soft, ..]
            && int.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
                ? limit
                : null;
    }
}
