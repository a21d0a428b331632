using System.Collections.Immutable;
using System.Numerics;
using System.Security.Cryptography;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>A backend's description of a study, or its failure.</summary>
/// <param name="Traits">The study; null when the backend does not list it for this user.</param>
/// <param name="Failure">The failure of the backend; null when it answered.</param>
public sealed record TraitsAnswer(StudyTraits? Traits, BackendFailure? Failure);

/// <summary>Reads what access rules need to know about studies: from their stored rows, else by a search at the backend.</summary>
public sealed class TraitsReader(
    IArchive archive, BackendScheduler scheduler, DicomMetadataStore store, Reloadable<AccessOptions> options,
    Reloadable<CacheOptions> cache, Reloadable<SearchOptions> search, TimeProvider time)
{
    /// <summary>The most UIDs in one request: each has up to 64 characters, and a server may refuse a line of 4 KB.</summary>
    private const int StudiesPerRequest = 50;

    private readonly SharedRequests<(string Backend, string Caller, string Studies), SearchAnswer> _asking = new(scheduler);

    /// <summary>The stored description of a study, and whether it is fresh; null without a stored row that has every attribute.</summary>
    public async ValueTask<(StudyTraits Traits, bool IsFresh)?> FindStoredAsync(
        BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        return FindStored(backend, study, cache.Value.MetadataMaxStale) is { } stored
            ? (stored, Freshness.IsWithin(
                store.GetStudy(study)!.GetList(backend.Name).StudyRowAsked, cache.Value.MetadataFreshness, time.GetUtcNow()))
            : null;
    }

    /// <summary>Asks a backend about a study. Its row is stored, if the backend has other parts of the study in the store.</summary>
    public async Task<TraitsAnswer> AskAsync(BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        var answer = await AskAsync(backend, [study], cancellation);
        if (answer.Rows.FirstOrDefault(found => found.Uid == study)?.Read() is not { } row) return new(null, answer.Failure);
        using var lease = await store.LeaseAsync(study, cancellation);
        if (store.GetStudy(study)?.GetList(backend.Name).HoldsStudy == true)
            store.AddStudy(backend.Name, row, answer.Asked, Fields, madeInClient: true);
        return new(StudyTraits.Create(row), null);
    }

    /// <summary>Asks about a study in the background, after a stored description has denied it.</summary>
    public void AskLater(BackendOptions backend, Uid study) =>
        _ = CurrentPurpose.RunAsync(RequestPurpose.Revalidation, () => AskAsync(backend, study, CancellationToken.None));

    /// <summary>Asks a backend about a study that does not exist, which takes as long as for any absent study.</summary>
    public async Task<BackendFailure?> AskForNothingAsync(BackendOptions backend, CancellationToken cancellation)
    {
        var unknown = new BigInteger(RandomNumberGenerator.GetBytes(16), isUnsigned: true);
        return (await AskAsync(backend, [Uid.Parse($"2.25.{unknown}")], cancellation)).Failure;
    }

    /// <summary>Reads several studies of a backend; those that it does not list, or does not answer for, are missing.</summary>
    public async Task<IReadOnlyDictionary<Uid, StudyTraits>> ReadAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, bool asksAlways, CancellationToken cancellation)
    {
        var found = new Dictionary<Uid, StudyTraits>();
        using var leases = new LeasedStudies(store);
        await leases.AddAsync(studies, cancellation);
        foreach (var study in studies)
        {
            if (!asksAlways && FindStored(backend, study, cache.Value.MetadataFreshness) is { } stored) found[study] = stored;
        }
        foreach (var some in studies.Where(study => !found.ContainsKey(study)).Chunk(StudiesPerRequest))
        {
            foreach (var row in (await AskAsync(backend, some, cancellation)).Rows) found[row.Uid] = StudyTraits.Create(row.Read());
        }
        return found;
    }

    /// <summary>The traits in the stored row, if it is recent enough and has all of them.</summary>
    private StudyTraits? FindStored(BackendOptions backend, Uid study, TimeSpan lifetime) =>
        store.GetStudy(study)?.SeriesLists.GetValueOrDefault(backend.Name) is { StudyRow: { } row } list
            && Freshness.IsWithin(list.StudyRowAsked, lifetime, time.GetUtcNow()) && HasAll(row)
            ? StudyTraits.Create(row)
            : null;

    /// <summary>The attributes that the rules need beyond those of every search.</summary>
    private ImmutableSortedSet<string> Fields => options.Value.NeedsInstitution ? [StudyTraits.InstitutionName.ToString()] : [];

    /// <summary>Whether a row has every attribute that the rules need.</summary>
    public bool HasAll(Dataset row) => !options.Value.NeedsInstitution || row.Has(StudyTraits.InstitutionName);

    private async Task<SearchAnswer> AskAsync(BackendOptions backend, Uid[] studies, CancellationToken cancellation)
    {
        var query = SearchQuery.AllStudies.OnlyStudies(studies) with { IncludeFields = Fields };
        // Where the backend decides, its answer depends on the user.
        var caller = options.Value.GetMode(backend) == AccessMode.Probe ? CurrentCaller.Value.Key : "";
        FetchTarget? target = studies is [var only] ? new FetchTarget(only) : null;
        return (await _asking.RunAsync(
            (backend.Name, caller, string.Join(',', studies)), backend.Name, target, AskOnceAsync, cancellation)).Result;

        async Task<SearchAnswer> AskOnceAsync(CancellationToken stopped)
        {
            using var deadline = new CancellationTokenSource(search.Value.Deadline, time);
            return await archive.SearchAsync(backend, query, studies.Length, deadline.Token, stopped);
        }
    }
}
