using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Proxy.Dicom;
using Proxy.Identity;

namespace Proxy.Prefetch.Jobs;

/// <summary>The reason for a job.</summary>
public enum PrefetchReason
{
    /// <summary>A viewer has opened the study.</summary>
    ReadAhead,

    /// <summary>A client requested the studies through the API.</summary>
    Asked,

    /// <summary>The studies follow an open study in a work list.</summary>
    Next,

    /// <summary>The studies are priors of an open study's patient.</summary>
    Priors,

    /// <summary>The studies match a rule of the settings.</summary>
    Rule,
}

/// <summary>The state of a job.</summary>
public enum JobState
{
    /// <summary>The job waits to run.</summary>
    Queued,

    /// <summary>The job runs.</summary>
    Running,

    /// <summary>The job has ended; some items may have failed.</summary>
    Done,

    /// <summary>The job has ended and fetched nothing.</summary>
    Failed,

    /// <summary>A client or the proxy cancelled the job.</summary>
    Cancelled,
}

/// <summary>The progress of a count; the total grows while more is discovered.</summary>
/// <param name="Done">The completed part.</param>
/// <param name="Total">The known total.</param>
public readonly record struct Progress(long Done, long Total)
{
    /// <summary>Adds to both counts.</summary>
    public Progress Add(long done, long total = 0) => new(Done + done, Total + total);
}

/// <summary>A study, or a part of it, that could not be fetched.</summary>
/// <param name="Study">The study.</param>
/// <param name="Item">The path below the study; null for the study itself.</param>
/// <param name="Reason">The reason; it names no patient and no address.</param>
public sealed record JobError(Uid Study, string? Item, string Reason);

/// <summary>The user who caused a job: it fetches nothing that this user may not see. The user's credential is not stored.</summary>
/// <param name="Issuer">Who vouches for the identity.</param>
/// <param name="Id">The identity.</param>
/// <param name="Roles">What the user may do.</param>
/// <param name="Groups">The values of the roles claim.</param>
public sealed record JobOwner(string Issuer, string Id, Roles Roles, ImmutableArray<string> Groups)
{
    /// <summary>The owner of a job that this caller causes.</summary>
    public static JobOwner? Create(Caller caller) =>
        caller.IsAnonymous || ReferenceEquals(caller, Caller.Proxy)
            ? null
            : new(caller.Issuer, caller.Id, caller.Roles, [.. caller.Groups.Order(StringComparer.Ordinal)]);

    /// <summary>The user as a caller without a credential.</summary>
    public Caller ToCaller() => new(Id, Roles) { Issuer = Issuer, Groups = [.. Groups] };
}

/// <summary>The state of a prefetch job.</summary>
/// <param name="Id">The job's id.</param>
/// <param name="Reason">The reason for the job.</param>
/// <param name="Priority">The priority of its fetches.</param>
/// <param name="Root">The name of the one backend to fetch from; empty for all.</param>
/// <param name="StudyUids">The studies, in the order of fetching.</param>
/// <param name="Created">The time of creation.</param>
/// <remarks>The JSON names are the format of <c>prefetch.json</c> and must not change.</remarks>
public sealed record PrefetchJob(
    string Id,
    [property: JsonPropertyName("Why")] PrefetchReason Reason,
    [property: JsonPropertyName("Rank")] PrefetchPriority Priority,
    string Root,
    ImmutableArray<Uid> StudyUids,
    DateTimeOffset Created)
{
    /// <summary>The most errors that a job lists.</summary>
    public const int MaxErrors = 100;

    /// <summary>The user who caused the job; null without authentication, and for a rule of the settings.</summary>
    public JobOwner? Owner { get; init; }

    /// <summary>The state.</summary>
    public JobState State { get; init; }

    /// <summary>The time at which it started to run; null before.</summary>
    public DateTimeOffset? Started { get; init; }

    /// <summary>The time at which it ended; null before.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>The progress in studies.</summary>
    public Progress Studies { get; init; }

    /// <summary>The progress in series.</summary>
    public Progress Series { get; init; }

    /// <summary>The progress in instances.</summary>
    public Progress Instances { get; init; }

    /// <summary>The progress in frames.</summary>
    public Progress Frames { get; init; }

    /// <summary>The progress in items: frames, whole instances and bulk data.</summary>
    public Progress Items { get; init; }

    /// <summary>The progress in bytes of bodies. The total is an estimate from the mean size of the fetched items.</summary>
    public Progress Bytes { get; init; }

    /// <summary>The errors, at most <see cref="MaxErrors"/>.</summary>
    public ImmutableArray<JobError> Errors { get; init; } = [];

    /// <summary>The reason why the job waits; null while it makes progress.</summary>
    public string? Waiting { get; init; }

    /// <summary>The reason of the cancellation; null if it was not cancelled. A cancellation is no error.</summary>
    [JsonPropertyName("Reason")]
    public string? CancelledBecause { get; init; }

    /// <summary>Whether the job has not ended.</summary>
    public bool IsLive => State is JobState.Queued or JobState.Running;

    /// <summary>The mean rate in bytes per second since the start; cached items do not count.</summary>
    public long RateAt(DateTimeOffset now) =>
        Started is { } started && ((Ended ?? now) - started).TotalSeconds is > 0 and var seconds ? (long)(Bytes.Done / seconds) : 0;

    /// <summary>Adds an error, unless it is listed already or the list is full.</summary>
    public PrefetchJob With(JobError error) =>
        Errors.Length >= MaxErrors || Errors.Contains(error) ? this : this with { Errors = Errors.Add(error) };

    /// <summary>The number of fetched items.</summary>
    public long Fetched { get; init; }

    /// <summary>The number of items that were already cached.</summary>
    public long Cached { get; init; }

    /// <summary>The mean size of a fetched item in bytes; 0 before the first.</summary>
    public long MeanBytes => Fetched == 0 ? 0 : Bytes.Done / Fetched;

    /// <summary>Counts one completed item.</summary>
    /// <param name="isFrame">Whether it is a frame.</param>
    /// <param name="bytes">The fetched bytes; null when the item was cached or failed.</param>
    /// <param name="wasCached">Whether it was already cached.</param>
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
