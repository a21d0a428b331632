using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Proxy.Prefetch.Jobs;

/// <summary>The progress of a job, as events carry it: without the members that may be long.</summary>
internal record JobProgressReport
{
    [JsonConstructor]
    public JobProgressReport() { }

    [SetsRequiredMembers]
    public JobProgressReport(PrefetchJob job, DateTimeOffset now)
    {
        Id = job.Id;
        Why = GetName(job.Reason);
        State = GetName(job.State);
        Waiting = job.Waiting;
        Reason = job.CancelledBecause;
        Studies = job.Studies;
        Series = job.Series;
        Instances = job.Instances;
        Frames = job.Frames;
        Bytes = job.Bytes;
        Cached = job.Cached;
        BytesPerSecond = job.RateAt(now);
    }

    public required string Id { get; init; }

    /// <summary>The reason for the job.</summary>
    public required string Why { get; init; }

    public required string State { get; init; }

    /// <summary>Why the job waits; null while it makes progress.</summary>
    public required string? Waiting { get; init; }

    /// <summary>Why the job was cancelled; null if it was not.</summary>
    public required string? Reason { get; init; }

    public required Progress Studies { get; init; }

    public required Progress Series { get; init; }

    public required Progress Instances { get; init; }

    public required Progress Frames { get; init; }

    public required Progress Bytes { get; init; }

    /// <summary>The number of items that were already cached.</summary>
    public required long Cached { get; init; }

    /// <summary>The mean rate since the start.</summary>
    public required long BytesPerSecond { get; init; }

    public static string GetName(PrefetchReason reason) =>
        reason == PrefetchReason.ReadAhead ? "read-ahead" : reason.ToString().ToLowerInvariant();

    public static string GetName(JobState state) => state.ToString().ToLowerInvariant();
}

/// <summary>A job, as <c>/prefetch</c> answers it.</summary>
internal sealed record JobReport : JobProgressReport
{
    [JsonConstructor]
    public JobReport() { }

    [SetsRequiredMembers]
    public JobReport(PrefetchJob job, DateTimeOffset now) : base(job, now)
    {
        Root = job.Root;
        StudyUids = [.. job.StudyUids.Select(uid => uid.ToString())];
        Created = job.Created;
        Started = job.Started;
        Ended = job.Ended;
        Errors = [.. job.Errors.Select(error => new JobErrorReport(error.Study.ToString(), error.Item, error.Reason))];
    }

    /// <summary>The name of the one backend to fetch from; empty for all.</summary>
    [JsonPropertyOrder(1)]
    public required string Root { get; init; }

    [JsonPropertyOrder(1)]
    [JsonPropertyName("StudyInstanceUIDs")]
    public required IReadOnlyList<string> StudyUids { get; init; }

    [JsonPropertyOrder(1)]
    public required DateTimeOffset Created { get; init; }

    [JsonPropertyOrder(1)]
    public required DateTimeOffset? Started { get; init; }

    [JsonPropertyOrder(1)]
    public required DateTimeOffset? Ended { get; init; }

    [JsonPropertyOrder(1)]
    public required IReadOnlyList<JobErrorReport> Errors { get; init; }
}

/// <summary>A study, or a part of it, that could not be fetched; <c>Item</c> is null for the study itself.</summary>
internal sealed record JobErrorReport(string Study, string? Item, string Reason);

/// <summary>The JSON of jobs, in answers and in events.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(JobReport[]))]
[JsonSerializable(typeof(JobProgressReport))]
internal sealed partial class JobJson : JsonSerializerContext;
