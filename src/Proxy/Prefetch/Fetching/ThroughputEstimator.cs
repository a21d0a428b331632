using System.Collections.Concurrent;

namespace Proxy.Prefetch.Fetching;

/// <summary>
/// Measures the throughput of each backend for the pixels of a series, frame by frame and in one request. Archives differ, so it
/// cannot be configured.
/// </summary>
/// <remarks>
/// One request costs an archive less than one per frame, so a whole series is preferred until the archive refuses it or gives it
/// much more slowly.
/// </remarks>
public sealed class ThroughputEstimator
{
    /// <summary>
    /// Whole series that are refused or slow are tried again once per this number of series, because an archive may have been busy;
    /// whole instances after this number of instances, because only some may be refused.
    /// </summary>
    private const int RetryInterval = 20;

    /// <summary>How many times slower than its frames a whole series may be.</summary>
    private const double MaxSlowdown = 2;

    /// <summary>The weight of a new measurement in the moving average.</summary>
    private const double Weight = 0.3;

    private readonly ConcurrentDictionary<string, Estimate> _estimates = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The number of instances that are fetched frame by frame until a whole one is tried again.</summary>
    private readonly ConcurrentDictionary<string, int> _refusesInstances = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The measured throughput of a backend.</summary>
    /// <param name="Frames">Bytes per second, frame by frame; null when not measured.</param>
    /// <param name="Whole">Bytes per second, whole series; 0 when the backend refuses it, null when not measured.</param>
    /// <param name="Series">The number of measured series.</param>
    private sealed record Estimate(double? Frames, double? Whole, int Series);

    /// <summary>Whether to fetch the next series in one request.</summary>
    public bool PrefersWholeSeries(string backend)
    {
        if (_estimates.GetValueOrDefault(backend) is not { Whole: { } whole } estimate) return true;
        if (whole > 0 && (estimate.Frames is not { } frames || whole * MaxSlowdown >= frames)) return true;
        return estimate.Series % RetryInterval == RetryInterval - 1;
    }

    /// <summary>Adds the measurement of a series that was fetched without interruption.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="isWhole">Whether the series was fetched in one request.</param>
    /// <param name="bytes">The size of the series in bytes.</param>
    /// <param name="elapsed">The duration.</param>
    public void Note(string backend, bool isWhole, long bytes, TimeSpan elapsed)
    {
        if (elapsed <= TimeSpan.Zero) return;
        var measured = bytes / elapsed.TotalSeconds;
        _estimates.AddOrUpdate(
            backend,
            _ => isWhole ? new(null, measured, 1) : new(measured, null, 1),
            (_, estimate) => isWhole
                ? estimate with { Whole = Mean(estimate.Whole, measured), Series = estimate.Series + 1 }
                : estimate with { Frames = Mean(estimate.Frames, measured), Series = estimate.Series + 1 });
    }

    /// <summary>Records that a backend refused a request for a whole series.</summary>
    public void NoteRefusesWholeSeries(string backend) =>
        _estimates.AddOrUpdate(backend, _ => new(null, 0, 1), (_, estimate) => estimate with { Whole = 0, Series = estimate.Series + 1 });

    /// <summary>Whether to fetch an instance with many frames in one request.</summary>
    public bool PrefersWholeInstances(string backend) => !_refusesInstances.ContainsKey(backend);

    /// <summary>Records that a backend gives no instances, or such that frames cannot be cut out of.</summary>
    public void NoteRefusesInstances(string backend) => _refusesInstances[backend] = RetryInterval;

    /// <summary>Counts an instance with many frames that was fetched.</summary>
    public void NoteInstance(string backend)
    {
        if (!_refusesInstances.TryGetValue(backend, out var remaining)) return;
        if (remaining > 1) _refusesInstances.TryUpdate(backend, remaining - 1, remaining);
        else _refusesInstances.TryRemove(backend, out _);
    }

    private static double Mean(double? known, double measured) =>
        known is null or 0 ? measured : known.Value + Weight * (measured - known.Value);
}
