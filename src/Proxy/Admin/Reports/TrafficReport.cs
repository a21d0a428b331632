using System.Text.Json.Serialization;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Operations.Telemetry;
using static Proxy.Operations.Telemetry.Traffic;

namespace Proxy.Admin.Reports;

/// <summary>What <c>GET /traffic</c> answers.</summary>
/// <param name="Now">The time of the report.</param>
/// <param name="Recent">The last 5 minutes, in steps of 1 s.</param>
/// <param name="Day">The last 24 hours, in steps of 1 min.</param>
/// <param name="Totals">Since the start.</param>
/// <param name="Backends">The backends that the request may see, by name.</param>
internal sealed record TrafficReport(
    DateTimeOffset Now, HistoryReport Recent, HistoryReport Day, TotalsReport Totals,
    IReadOnlyDictionary<string, BackendTrafficReport> Backends);

/// <summary>What was counted in steps of time; the step that is not over is left out.</summary>
internal sealed record HistoryReport
{
    /// <summary>The length of a step in seconds.</summary>
    public required int Step { get; init; }

    /// <summary>When the first step began.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>DICOMweb requests.</summary>
    public required IReadOnlyList<long> Requests { get; init; }

    /// <summary>Those that were answered without a request of their own to a backend.</summary>
    public required IReadOnlyList<long> Hits { get; init; }

    /// <summary>Those for which a backend was asked.</summary>
    public required IReadOnlyList<long> Misses { get; init; }

    /// <summary>Those with a status of 500 or above.</summary>
    public required IReadOnlyList<long> Errors { get; init; }

    /// <summary>Bytes sent to clients.</summary>
    public required IReadOnlyList<long> BytesServed { get; init; }

    /// <summary>Bytes received from backends.</summary>
    public required IReadOnlyList<long> BytesFetched { get; init; }

    public static HistoryReport Create(History history) => new()
    {
        Step = (int)history.Step.TotalSeconds,
        From = history.From,
        Requests = history.Columns[(int)Total.Requests],
        Hits = history.Columns[(int)Total.Hits],
        Misses = history.Columns[(int)Total.Misses],
        Errors = history.Columns[(int)Total.Errors],
        BytesServed = history.Columns[(int)Total.BytesServed],
        BytesFetched = history.Columns[(int)Total.BytesFetched],
    };
}

/// <summary>Totals since the start.</summary>
internal sealed record TotalsReport
{
    /// <summary>DICOMweb requests.</summary>
    public required long Requests { get; init; }

    /// <summary>Those that were answered without a request of their own to a backend.</summary>
    public required long Hits { get; init; }

    /// <summary>Those for which a backend was asked.</summary>
    public required long Misses { get; init; }

    /// <summary>Those with a status of 500 or above.</summary>
    public required long Errors { get; init; }

    /// <summary>Bytes sent to clients.</summary>
    public required long BytesServed { get; init; }

    /// <summary>Bytes received from backends.</summary>
    public required long BytesFetched { get; init; }

    /// <summary>Bytes sent to clients from the cache.</summary>
    public required long BytesSaved { get; init; }

    /// <summary>An estimate: for each hit, the median time of a miss of its kind minus its own time.</summary>
    public required double SecondsSaved { get; init; }

    public static TotalsReport Create(Traffic traffic) => new()
    {
        Requests = traffic[Total.Requests],
        Hits = traffic[Total.Hits],
        Misses = traffic[Total.Misses],
        Errors = traffic[Total.Errors],
        BytesServed = traffic[Total.BytesServed],
        BytesFetched = traffic[Total.BytesFetched],
        BytesSaved = traffic[Total.BytesSaved],
        SecondsSaved = Math.Round(traffic[Total.MicrosecondsSaved] / 1e6, 3),
    };
}

/// <summary>The requests to one backend.</summary>
internal sealed record BackendTrafficReport
{
    /// <summary>Requests since the start.</summary>
    public required long Requests { get; init; }

    /// <summary>Failed requests since the start.</summary>
    public required long Failures { get; init; }

    /// <summary>The requests that run now.</summary>
    public required int InFlight { get; init; }

    /// <summary>The most requests that may run now.</summary>
    public required int Limit { get; init; }

    /// <summary>The requests that wait until they may run.</summary>
    public required int Waiting { get; init; }

    /// <summary>The time after which half of the answers of the last 5 minutes began, in milliseconds; null without answers.</summary>
    [JsonPropertyName("p50Ms")]
    public required double? MedianMilliseconds { get; init; }

    /// <summary>The same for 95 % of the answers.</summary>
    [JsonPropertyName("p95Ms")]
    public required double? Percentile95Milliseconds { get; init; }

    /// <summary>The share of failed requests of the last 5 minutes, from 0 to 1.</summary>
    public required double ErrorRate { get; init; }

    /// <summary>The latest failure; null for none.</summary>
    public required string? LastError { get; init; }

    /// <summary>The time of the latest failure; null for none.</summary>
    public required DateTimeOffset? LastErrorAt { get; init; }

    public static BackendTrafficReport Create(BackendState? state, BackendPermits.Usage usage, BackendTraffic.Figures figures) => new()
    {
        Requests = state?.Asked ?? 0,
        Failures = state?.Failed ?? 0,
        InFlight = usage.InFlight,
        Limit = usage.Limit,
        Waiting = usage.Waiting,
        MedianMilliseconds = Round(figures.Median),
        Percentile95Milliseconds = Round(figures.Percentile95),
        ErrorRate = Math.Round(figures.ErrorRate, 4),
        LastError = state?.LastFailure is { } failure ? $"{failure.Error}: {failure.Detail}" : null,
        LastErrorAt = state?.LastFailedAt,
    };

    private static double? Round(TimeSpan? duration) => duration is { } known ? Math.Round(known.TotalMilliseconds, 2) : null;
}
