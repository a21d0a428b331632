using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>Who holds some studies, and what is cached of them: one pass over the memory for a whole list.</summary>
internal static class CachedStudies
{
    /// <summary>The maximum number of studies in one request, so that its line stays below 8 KB.</summary>
    public const int MaxStudies = 50;

    /// <summary>Answers <c>GET /cache/studies?StudyInstanceUID=1.2,1.3</c>; a study that no visible backend holds is left out.</summary>
    public static async Task<IResult> AnswerAsync(
        HttpContext context, DicomMetadataStore store, MemoryParts memory, DiskTier disk, CancellationToken cancellation)
    {
        if (!TryRead(context.Request.Query["StudyInstanceUID"], out var studies))
            return Problems.BadParameter("StudyInstanceUID", $"at most {MaxStudies} UIDs (PS3.5 §9.1), separated by commas");
        var access = context.GetAccess();
        var held = Count(memory, studies);
        var reports = new List<CachedStudyReport>(studies.Count);
        foreach (var uid in studies)
        {
            using var lease = await store.LeaseAsync(uid, cancellation);
            if (store.GetStudy(uid) is not { } found || access.Restrict(found) is not { HasHolder: true } study) continue;
            var shares = disk.Writer.GetSharesOfStudy(uid.ToString()).ToDictionary(s => s.Backend, StringComparer.OrdinalIgnoreCase);
            reports.Add(new(uid.ToString(), study.SeriesLists.Values.Where(list => list.HoldsStudy).ToDictionary(
                list => list.Backend,
                list => Create(list, held.GetValueOrDefault((list.Backend, uid), new(0, 0)), shares.GetValueOrDefault(list.Backend)))));
        }
        return TypedResults.Json(reports.ToArray());
    }

    private static bool TryRead(Microsoft.Extensions.Primitives.StringValues values, out HashSet<Uid> studies)
    {
        studies = [];
        foreach (var text in values.SelectMany(value => (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (studies.Count == MaxStudies || !Uid.TryParse(text, out var uid)) return false;
            studies.Add(uid);
        }
        return true;
    }

    /// <summary>
    /// The entries in memory of each backend and study. Pictures are not counted as parts of a study: they can be made again.
    /// </summary>
    private static Dictionary<(string Backend, Uid Study), StudyTierReport> Count(MemoryParts memory, HashSet<Uid> studies)
    {
        var counts = new Dictionary<(string, Uid), StudyTierReport>();
        if (studies.Count == 0) return counts;
        var names = studies.ToDictionary(uid => uid.ToString(), StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (key, entry) in memory.ReadAll<EntryKey, Entry>())
        {
            if (!names.TryGetValue(key.Study, out var study)) continue;
            var before = counts.GetValueOrDefault((key.Backend, study), new(0, 0));
            counts[(key.Backend, study)] =
                new(before.Entries + (key.Representation.Parameters.Length == 0 ? 1 : 0), before.Bytes + entry.Length);
        }
        return counts;
    }

    private static HeldStudyReport Create(SeriesList list, StudyTierReport memory, DiskShare? disk) => new()
    {
        Series = list.Series.IsEmpty ? list.StudyRow?.FindInt(Tag.NumberOfStudyRelatedSeries) ?? 0 : list.Series.Count,
        Instances = Math.Max(
            list.Series.Values.Sum(series => series.Count),
            list.ListedAt is null ? list.StudyRow?.FindInt(Tag.NumberOfStudyRelatedInstances) ?? 0 : 0),
        Checked = new[] { list.ListedAt, list.StudyRow is null ? null : list.StudyRowAsked }.Max(),
        Memory = memory,
        Disk = new(disk?.Entries ?? 0, disk?.Bytes ?? 0),
    };
}
