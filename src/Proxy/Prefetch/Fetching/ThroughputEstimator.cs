using System.Collections.Concurrent;

namespace Proxy.Prefetch.Fetching;

/// <summary>
/// How fast each backend gives the pixels of a series: frame by frame, and all in one answer. Measured, for nobody knows it of an archive.
/// </summary>
public sealed class ThroughputEstimator
{
    /// <summary>The slower way is tried again after so many series: an archive may have been busy.</summary>
    private const int TryEvery = 20;

    /// <summary>What one more series counts for.</summary>
    private const double Weight = 0.3;

    private readonly ConcurrentDictionary<string, Estimate> _estimates = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="Frames">Bytes a second, frame by frame; null when it was not measured.</param>
    /// <param name="Whole">The same for a series in one answer; 0 when the backend does not give that.</param>
    /// <param name="Series">How many were measured.</param>
    private sealed record Estimate(double? Frames, double? Whole, int Series);

    /// <summary>Whether the next series is to be asked for as a whole.</summary>
    public bool PrefersWholeSeries(string backend)
    {
        if (_estimates.GetValueOrDefault(backend) is not { Frames: { } frames } estimate) return false;
        if (estimate.Whole is not { } whole) return true;
        var isFaster = whole > frames;
        return estimate.Series % TryEvery == TryEvery - 1 ? !isFaster : isFaster;
    }

    /// <summary>Notes how a series went that nothing interrupted.</summary>
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

    /// <summary>A backend that was asked for a whole series did not give it.</summary>
    public void NoteRefusesWholeSeries(string backend) =>
        _estimates.AddOrUpdate(backend, _ => new(null, 0, 1), (_, estimate) => estimate with { Whole = 0, Series = estimate.Series + 1 });

    private static double Mean(double? known, double measured) =>
        known is null or 0 ? measured : known.Value + Weight * (measured - known.Value);
}
