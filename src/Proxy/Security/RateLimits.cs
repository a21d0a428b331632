using System.Net;
using System.Threading.RateLimiting;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>How much one user may ask for, <c>Security:RateLimits</c>; without authentication, one address.</summary>
/// <param name="RequestsPerSecond">The mean number of requests per second; 0 for no limit.</param>
/// <param name="Burst">The number of requests at once, after a pause: a viewer requests hundreds of frames.</param>
/// <param name="Concurrency">The number of requests that run at the same time; 0 for no limit. Further requests wait.</param>
public sealed record RateLimits(int RequestsPerSecond, int Burst, int Concurrency)
{
    /// <summary>No limits.</summary>
    public static readonly RateLimits None = new(0, 1000, 0);

    /// <summary>Whether there is no limit.</summary>
    public bool IsOff => RequestsPerSecond == 0 && Concurrency == 0;

    /// <summary>The limits of an address that several users share.</summary>
    public RateLimits ForSeveralUsers => this with
    {
        RequestsPerSecond = RequestsPerSecond * RateGuard.UsersPerAddress,
        Burst = Burst * RateGuard.UsersPerAddress,
        Concurrency = Concurrency * RateGuard.UsersPerAddress,
    };
}

/// <summary>Refuses requests of users and addresses that exceed their limits: 429 with Retry-After (RFC 6585 §4).</summary>
/// <remarks>
/// The limit of addresses runs before a credential is verified, so that guessing is limited too. Health checks and CORS preflights are not
/// limited.
/// </remarks>
internal static class RateGuard
{
    /// <summary>How many users one address stands for, if users authenticate: a gateway or a shared workstation.</summary>
    public const int UsersPerAddress = 10;

    /// <summary>The number of requests that may wait for each one that runs; further ones are refused.</summary>
    private const int WaitingPerRunning = 32;

    /// <summary>Limits the requests of each address.</summary>
    public static void UseAddressLimits(this IApplicationBuilder app, SecurityOptions security) => app.UseLimits(
        security.Authentication == AuthenticationKind.None ? security.RateLimits : security.RateLimits.ForSeveralUsers,
        static context => GetAddress(context.Connection.RemoteIpAddress));

    /// <summary>Limits the requests of each user who has authenticated.</summary>
    public static void UseCallerLimits(this IApplicationBuilder app, SecurityOptions security) =>
        app.UseLimits(security.RateLimits, static context => context.GetCaller().Key);

    /// <summary>Refuses what exceeds the limits of its key.</summary>
    /// <param name="app">The pipeline.</param>
    /// <param name="limits">The limits of each key.</param>
    /// <param name="getKey">Whose request it is; empty if it is not counted.</param>
    private static void UseLimits(this IApplicationBuilder app, RateLimits limits, Func<HttpContext, string> getKey)
    {
        if (limits.IsOff) return;
        app.UseRateLimiter(new()
        {
            GlobalLimiter = PartitionedRateLimiter.CreateChained(
                PartitionedRateLimiter.Create<HttpContext, string>(context => LimitRate(getKey(context), limits)),
                PartitionedRateLimiter.Create<HttpContext, string>(context => LimitConcurrency(getKey(context), limits))),
            OnRejected = async (rejected, _) =>
            {
                var after = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var time) ? time : TimeSpan.FromSeconds(1);
                await Problems.OverLimit(after).ExecuteAsync(rejected.HttpContext);
            },
        });
    }

    private static RateLimitPartition<string> LimitRate(string key, RateLimits limits) =>
        key.Length > 0 && limits.RequestsPerSecond > 0
            ? RateLimitPartition.GetTokenBucketLimiter(key, _ => new()
            {
                TokensPerPeriod = limits.RequestsPerSecond,
                ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                TokenLimit = Math.Max(limits.Burst, limits.RequestsPerSecond),
            })
            : RateLimitPartition.GetNoLimiter("");

    private static RateLimitPartition<string> LimitConcurrency(string key, RateLimits limits) =>
        key.Length > 0 && limits.Concurrency > 0
            ? RateLimitPartition.GetConcurrencyLimiter(key, _ => new()
            {
                PermitLimit = limits.Concurrency,
                QueueLimit = limits.Concurrency * WaitingPerRunning,
                QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
            })
            : RateLimitPartition.GetNoLimiter("");

    /// <summary>One client has all addresses of its IPv6 network (RFC 6177).</summary>
    private static string GetAddress(IPAddress? address)
    {
        if (address is null) return "";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.GetAddressBytes() is { Length: 16 } bytes ? Convert.ToHexString(bytes.AsSpan(0, 8)) : address.ToString();
    }
}
