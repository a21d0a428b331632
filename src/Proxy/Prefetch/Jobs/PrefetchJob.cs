using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Prefetch.Jobs;

/// <summary>Why a job is there.</summary>
public enum PrefetchReason
{
    /// <summary>A viewer looks at the study.</summary>
    ReadAhead,

    /// <summary>Somebody named the studies.</summary>
    Asked,

    /// <summary>They stand behind an open study in a work list.</summary>
    Next,

    /// <summary>They are an open study's patient's.</summary>
    Priors,

    /// <summary>A rule of the settings says so.</summary>
    Rule,
}

public enum JobState { Queued, Running, Done, Failed, Cancelled }

/// <summary>How much of what is to be done is done; the total grows as more is known.</summary>
public readonly record struct Progress(long Done, long Total)
{
    public Progress Add(long done, long total = 0) => new(Done + done, Total + total);
}

/// <summary>Something that could not be fetched.</summary>
/// <param name="Study">Of it.</param>
/// <param name="Item">Its place below the study; null for the study itself.</param>
/// <param name="Reason">Names no patient and no address.</param>
public sealed record JobError(Uid Study, string? Item, string Reason);

/// <summary>Studies that are fetched before anybody asks for them, as a job stands now.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Reason">Why it is there.</param>
/// <param name="Priority">What goes before it.</param>
/// <param name="Root">The root for which it is: the backends that it may ask. Empty for all of them.</param>
/// <param name="StudyUids">In the order in which they are fetched.</param>
/// <param name="Created">When.</param>
/// <remarks>The JSON names are those of <c>prefetch.json</c>: they stay as the first version wrote them.</remarks>
public sealed record PrefetchJob(
    string Id, [property: JsonPropertyName("Why")] PrefetchReason Reason, [property: JsonPropertyName("Rank")] PrefetchPriority Priority,
    string Root,
    ImmutableArray<Uid> StudyUids, DateTimeOffset Created)
{
    /// <summary>No more errors are listed.</summary>
    public const int MostErrors = 100;

    public JobState State { get; init; }

    public DateTimeOffset? Started { get; init; }

    public DateTimeOffset? Ended { get; init; }

    public Progress Studies { get; init; }

    public Progress Series { get; init; }

    public Progress Instances { get; init; }

    public Progress Frames { get; init; }

    /// <summary>Everything that is fetched one by one: frames, whole instances, bulk data.</summary>
    public Progress Items { get; init; }

    /// <summary>Of bodies. The total is what the items that are still to come may have, by those that came.</summary>
    public Progress Bytes { get; init; }

    public ImmutableArray<JobError> Errors { get; init; } = [];

    /// <summary>What it waits for; null when it goes on.</summary>
    public string? Waiting { get; init; }

    /// <summary>Why it was cancelled; null for a job that was not. A cancellation is no error.</summary>
    [JsonPropertyName("Reason")]
    public string? CancelledBecause { get; init; }

    public bool IsLive => State is JobState.Queued or JobState.Running;

    /// <summary>Bytes a second since it began; of what was kept already none had to be fetched.</summary>
    public long RateAt(DateTimeOffset now) =>
        Started is { } started && ((Ended ?? now) - started).TotalSeconds is > 0 and var seconds ? (long)(Bytes.Done / seconds) : 0;

    /// <summary>With an error; the same once.</summary>
    public PrefetchJob With(JobError error) =>
        Errors.Length >= MostErrors || Errors.Contains(error) ? this : this with { Errors = Errors.Add(error) };

    /// <summary>Items that had to be fetched, and came.</summary>
    public long Fetched { get; init; }

    /// <summary>Items that were in the cache already.</summary>
    public long Cached { get; init; }

    /// <summary>What an item that was fetched had, in bytes; 0 while none was.</summary>
    public long MeanBytes => Fetched == 0 ? 0 : Bytes.Done / Fetched;

    /// <summary>With one more item that is done with.</summary>
    /// <param name="isFrame">Whether it is a frame.</param>
    /// <param name="bytes">What came; null when nothing was fetched, or it failed.</param>
    /// <param name="wasCached">Whether it was in the cache already.</param>
    public PrefetchJob WithItem(bool isFrame, long? bytes, bool wasCached = false)
    {
        var job = this with
        {
            Items = Items.Add(1),
            Frames = Frames.Add(isFrame ? 1 : 0),
            Bytes = Bytes.Add(bytes ?? 0),
            Fetched = Fetched + (bytes is null ? 0 : 1),
            Cached = Cached + (wasCached ? 1 : 0),
        };
        return job with { Bytes = job.Bytes with { Total = job.Bytes.Done + (job.Items.Total - job.Items.Done) * job.MeanBytes } };
    }
}
