using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;

namespace Proxy.Dimse;

/// <summary>Searches a DIMSE backend by C-FIND, Study Root (PS3.4 §C.4.1).</summary>
/// <remarks>
/// <code>
/// /studies                             STUDY
/// /studies/{s}/series                  STUDY for the attributes of the study · SERIES
/// /studies/{s}/series/{e}/instances    IMAGE
/// other resources                      refused: relational queries are rare, and the levels above are walked instead
/// </code>
/// Every key is matched again here. Counts and modalities that the PACS does not know are counted at the level below.
/// </remarks>
/// <param name="client">Runs operations.</param>
/// <param name="time">The clock.</param>
internal sealed class DimseSearch(DimseClient client, TimeProvider time)
{
    /// <summary>The most operations of one search that count what the PACS does not.</summary>
    private const int MaxCounts = 200;

    /// <summary>The time after which a search counts no more: rows without counts are better than a late answer.</summary>
    private static readonly TimeSpan MaxCounting = TimeSpan.FromSeconds(3);

    private static readonly Tag[] CountedOfStudies =
        [Tag.ModalitiesInStudy, Tag.NumberOfStudyRelatedSeries, Tag.NumberOfStudyRelatedInstances];

    /// <summary>Searches a backend.</summary>
    /// <inheritdoc cref="IArchive.SearchAsync"/>
    public async Task<SearchAnswer> AskAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation)
    {
        var asked = time.GetUtcNow();
        if (query.Study is null ? query.Level != SearchLevel.Studies : query is { Level: SearchLevel.Instances, Series: null })
        {
            return new(backend, [], asked)
            {
                Failure = new(
                    backend.Name, BackendError.BadStatus, "it searches one level at a time", ErrorStatus.NotImplemented),
            };
        }
        var rows = new Rows(query, backend.Dimse!.QueryCharacterSet, maxRows ?? SearchDepth.MaxRows);
        // A list of modalities is no value of a C-FIND: one operation for each.
        var parts = query.SplitByModality() is { Count: > 0 } several ? several : [query];
        BackendFailure? failure = null;
        foreach (var part in parts)
        {
            var plan = ContextPlan.Queries;
            var request = query.Study is { } study
                ? DimseRequest.Within(plan, "C-FIND", study, query.Series)
                : new DimseRequest(plan, "C-FIND");
            var answer = await client.AskAsync(
                backend, request, (association, stopped) => ReadAsync(association, part, rows, stopped), deadline, cancellation);
            failure = answer.Failure;
            if (failure is not null) break;
        }
        return rows.Build(backend, asked, failure);
    }

    /// <summary>The instances of a series, or one of them, with their SOP classes if the PACS tells them.</summary>
    public async Task<BackendAnswer<IReadOnlyDictionary<Uid, string>>> ListInstancesAsync(
        BackendOptions backend, SeriesPath path, Uid? instance, CancellationToken cancellation)
    {
        return await client.AskAsync(
            backend, DimseRequest.Within(ContextPlan.Queries, "C-FIND", path.Study, path.Series), ListAsync, CancellationToken.None,
            cancellation);

        async Task<IReadOnlyDictionary<Uid, string>> ListAsync(Association association, CancellationToken stopped)
        {
            var instances = new Dictionary<Uid, string>();
            foreach (var row in await FindAsync(association, SearchKeys.CreateForCount(path.Study, path.Series, instance), stopped))
            {
                // Some archives ignore the unique keys of the levels above.
                if (row.FindUid(Tag.SeriesInstanceUid) is { } other && other != path.Series) continue;
                if (row.FindUid(Tag.SopInstanceUid) is { } uid) instances[uid] = row.FindString(new(0x00080016)) ?? "";
            }
            return instances;
        }
    }

    private async Task<bool> ReadAsync(Association association, SearchQuery part, Rows rows, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.StudyRootFind, "C-FIND");
        var syntax = context.TransferSyntaxes[0];
        var above = new List<Dataset> { RowText.OfUids((Tag.StudyInstanceUid, part.Study), (Tag.SeriesInstanceUid, part.Series)) };
        if (part.Level == SearchLevel.Series)
        {
            var keys = SearchKeys.CreateForStudy(part);
            await association.FindAsync(context, keys.Write(syntax, rows.CharacterSet), AddStudy, cancellation);
            if (above.Count == 1)
            {
                rows.IsUnlisted = true;
                return true;
            }
        }
        var found = new List<Dataset>();
        await association.FindAsync(
            context, SearchKeys.Create(part).Write(syntax, rows.CharacterSet),
            bytes => rows.TryRead(bytes, context, above, found), cancellation);
        var counting = new Counting(association, time);
        foreach (var row in found)
        {
            var counts = await CountAsync(counting, part, row, cancellation);
            rows.Add(counts is null ? row : RowText.Join(row, counts));
        }
        rows.IsUnlisted = part.Level == SearchLevel.Instances && found.Count == 0;
        return true;

        bool AddStudy(byte[] bytes)
        {
            var row = RowText.Read(bytes, context);
            if (row.FindUid(Tag.StudyInstanceUid) == part.Study) above.Add(row);
            return true;
        }
    }

    /// <summary>What a row lacks of its counts and modalities, as far as it can be counted; null when it lacks nothing.</summary>
    private static async Task<Dataset?> CountAsync(Counting counting, SearchQuery query, Dataset row, CancellationToken cancellation)
    {
        if (row.FindUid(Tag.StudyInstanceUid) is not { } study) return null;
        if (query.Level == SearchLevel.Series)
        {
            if (RowText.HasValue(row, Tag.NumberOfSeriesRelatedInstances) || row.FindUid(Tag.SeriesInstanceUid) is not { } uid) return null;
            var count = (await counting.FindAsync(study, uid, cancellation))?.Count;
            return RowText.OfCounts([(Tag.NumberOfSeriesRelatedInstances, count)], []);
        }
        if (query.Level != SearchLevel.Studies || CountedOfStudies.All(tag => RowText.HasValue(row, tag))) return null;
        if (await counting.FindAsync(study, series: null, cancellation) is not { } series) return null;
        int? instances = 0;
        foreach (var one in RowText.HasValue(row, Tag.NumberOfStudyRelatedInstances) ? [] : series)
        {
            instances += one.FindInt(Tag.NumberOfSeriesRelatedInstances)
                ?? (await counting.FindAsync(study, one.FindUid(Tag.SeriesInstanceUid), cancellation))?.Count;
        }
        return RowText.OfCounts(
            [(Tag.NumberOfStudyRelatedSeries, series.Count), (Tag.NumberOfStudyRelatedInstances, instances)],
            [.. series.Select(one => one.FindString(Tag.Modality)).OfType<string>().Distinct()]);
    }

    private static async Task<List<Dataset>> FindAsync(Association association, Identifier keys, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.StudyRootFind, "C-FIND");
        var found = new List<Dataset>();
        await association.FindAsync(context, keys.Write(context.TransferSyntaxes[0], "ISO_IR 6"), Add, cancellation);
        return found;

        bool Add(byte[] bytes)
        {
            found.Add(RowText.Read(bytes, context));
            return found.Count < SearchDepth.MaxRows;
        }
    }

    /// <summary>The operations of one search that count.</summary>
    private sealed class Counting(Association association, TimeProvider time)
    {
        private readonly long _started = time.GetTimestamp();
        private int _left = MaxCounts;

        /// <summary>The series of a study, or the instances of a series; null when there were enough operations.</summary>
        public async Task<List<Dataset>?> FindAsync(Uid study, Uid? series, CancellationToken cancellation) =>
            _left-- > 0 && time.GetElapsedTime(_started) < MaxCounting
                ? await DimseSearch.FindAsync(association, SearchKeys.CreateForCount(study, series), cancellation)
                : null;
    }

    /// <summary>The rows of one search.</summary>
    private sealed class Rows(SearchQuery query, string characterSet, int max)
    {
        private readonly RowMatcher _matcher = new(query);
        private readonly Dictionary<Uid, FoundRow> _rows = [];
        private readonly PackedRows _packed = new();
        private readonly HashSet<Uid> _seen = [];
        private int _leftOut;
        private bool _isCut;

        public string CharacterSet => characterSet;

        public bool IsUnlisted { get; set; }

        /// <summary>Reads one identifier; false when there are enough rows.</summary>
        public bool TryRead(byte[] bytes, PresentationContext context, List<Dataset> above, List<Dataset> found)
        {
            try
            {
                var row = RowText.Join([RowText.Read(bytes, context), .. above]);
                if (query.Study is { } study && row.FindUid(Tag.StudyInstanceUid) != study)
                    throw new MalformedAnswerException("A row belongs to another study than requested.");
                if (row.FindUid(query.Key) is not { } uid) _leftOut++;
                // A PACS may list an object twice, or ignore a key.
                else if (!_matcher.Contradicts(row) && _seen.Add(uid)) found.Add(row);
            }
            catch (MalformedAnswerException) when (query.Study is null)
            {
                _leftOut++;
            }
            _isCut = found.Count > max;
            return !_isCut;
        }

        public void Add(Dataset row)
        {
            if (_rows.Count >= max || !_matcher.Matches(row)) return;
            if (FoundRow.Find(query, row, row.FindUid(Tag.StudyInstanceUid), _packed, _rows.Count) is { } found)
                _rows.TryAdd(found.Uid, found);
        }

        public SearchAnswer Build(BackendOptions backend, DateTimeOffset asked, BackendFailure? failure) =>
            new(backend, [.. _rows.Values], asked)
            {
                LeftOut = _leftOut,
                IsCut = _isCut,
                IsUnlisted = IsUnlisted && failure is null,
                Failure = failure,
                Bytes = 512 + _packed.Bytes + _rows.Count * (long)FoundRow.OwnBytes,
            };
    }
}
