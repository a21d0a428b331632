using System.Text.Json.Serialization;

namespace Proxy.Admin.Reports;

/// <summary>Which backends hold a study, and what is cached of it; an element of what <c>GET /cache/studies</c> answers.</summary>
internal sealed record CachedStudyReport(
    [property: JsonPropertyName("StudyInstanceUID")] string StudyInstanceUid, IReadOnlyDictionary<string, HeldStudyReport> Backends);

/// <summary>What one backend holds of a study, by its last answer, and what is cached of it.</summary>
internal sealed record HeldStudyReport
{
    public required int Series { get; init; }

    public required int Instances { get; init; }

    /// <summary>When the backend was last asked for the study; null if it only sent metadata or bodies.</summary>
    public required DateTimeOffset? Checked { get; init; }

    public required StudyTierReport Memory { get; init; }

    /// <summary>The disk, without entries of the last seconds.</summary>
    public required StudyTierReport Disk { get; init; }

    /// <summary>
    /// Entries of the fuller tier by instances, at most 1: an estimate, as an entry is a frame or a whole instance. Null without instances.
    /// </summary>
    public double? CachedShare =>
        Instances == 0 ? null : Math.Round(Math.Min(1, (double)Math.Max(Memory.Entries, Disk.Entries) / Instances), 4);
}

/// <summary>The entries of one study in a tier.</summary>
internal sealed record StudyTierReport(long Entries, long Bytes);
