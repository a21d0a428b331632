using Proxy.Operations;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>Settings of the tier that several proxies share, <c>Cluster</c>; read at start.</summary>
/// <param name="Redis">
/// The engine: <c>host:port[,host:port…]</c> and options of StackExchange.Redis; null for none. It may contain a password.
/// </param>
/// <param name="Name">
/// The first part of every key: proxies with one name share their data. 1 to 64 letters, digits, dots, dashes and underscores; default
/// <c>dicomweb</c>.
/// </param>
/// <param name="MaxBodyBytes">The length of the largest body that is shared, in bytes. 64 KiB to 64 MiB; default 8 MiB.</param>
/// <param name="Timeout">How long a request waits for a look-up. 1 ms to 10 s; default 50 ms.</param>
public sealed record ClusterOptions(Secret? Redis, string Name, long MaxBodyBytes, TimeSpan Timeout)
{
    private const int MaxNameLength = 64;

    /// <summary>Reads the section <c>Cluster</c>.</summary>
    public static ClusterOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Cluster", "Redis", "RedisFile", "Name", "MaxBodyBytes", "Timeout", "Objects");
        settings.ReportUnused("Cluster:Objects");
        var redis = Secret.Read(settings, "Cluster:Redis");
        if (redis is not null && redis.TryRead(out var text, out _) && TryParse(text) is null)
        {
            settings.AddError(
                redis.File is null ? "Cluster:Redis" : "Cluster:RedisFile", SettingsInForce.Hidden,
                "host:port[,host:port…][,options of StackExchange.Redis], such as cache.example.org:6379,ssl=true");
        }
        var name = settings.FindText("Cluster:Name") ?? "dicomweb";
        if (name.Length > MaxNameLength || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
            settings.AddError("Cluster:Name", name, $"1 to {MaxNameLength} letters, digits, dots, dashes and underscores");
        return new(
            redis, name, settings.ReadNumber("Cluster:MaxBodyBytes", 8L << 20, 64L << 10, 64L << 20),
            settings.ReadDuration(
                "Cluster:Timeout", TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10)));
    }

    /// <summary>The options of the client; null if the text is invalid or names no host.</summary>
    public static ConfigurationOptions? TryParse(string text)
    {
        try
        {
            var options = ConfigurationOptions.Parse(text);
            if (options.EndPoints.Count == 0) return null;
            options.AbortOnConnectFail = false;
            options.BacklogPolicy = BacklogPolicy.FailFast;
            options.ConnectTimeout = 1000;
            options.AsyncTimeout = 2000;
            options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
            options.HeartbeatConsistencyChecks = true;
            return options;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            return null;
        }
    }
}
