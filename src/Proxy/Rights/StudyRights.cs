using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>A decision about one user, backend and study.</summary>
/// <param name="IsGranted">Whether the user may do it.</param>
/// <param name="Failure">Why the backend could not be asked; null when it answered, or was not needed.</param>
/// <param name="Emergency">The emergency access that grants it; null for an ordinary right.</param>
public sealed record StudyDecision(bool IsGranted, BackendFailure? Failure = null, EmergencyGrant? Emergency = null)
{
    /// <summary>The user may.</summary>
    public static readonly StudyDecision Granted = new(true);

    /// <summary>The user may not, or there is no such study: the difference is not told.</summary>
    public static readonly StudyDecision Denied = new(false);
}

/// <summary>Decides which studies a user may see in which backend, before anything is looked up for them.</summary>
/// <remarks>
/// <code>
/// Shared   every viewer
/// Policy   1 an emergency access   2 a rule   3 the decision point
/// Probe    the backend lists the study to the user's own token
/// </code>
/// A denied study and an absent one take the same steps: the backend is asked about both, and the decision point too. So neither the answer
/// nor its time tells them apart, whether the study is cached or not. Decisions are cached per user, backend, action and study.
/// </remarks>
public sealed class StudyRights(
    TraitsReader traits, DecisionPoint point, EmergencyGrants emergencies, BackendSet backends, AnswerCache cache,
    Reloadable<AccessOptions> options, TimeProvider time)
{
    private readonly Answers<DecisionKey, CachedDecision> _decisions = cache.For<DecisionKey, CachedDecision>();

    private sealed record DecisionKey(string Caller, string Backend, StudyAction Action, Uid Study);

    /// <summary>A decision under one version of the settings.</summary>
    private sealed record CachedDecision(StudyDecision Decision, AccessOptions Under);

    /// <summary>Whether the rights of this caller differ between studies, in any of these backends.</summary>
    public bool AreLimited(Access access)
    {
        if (ReferenceEquals(access.Caller, Caller.Proxy)) return false;
        var current = options.Value;
        foreach (var backend in access.Backends)
        {
            if (current.GetMode(backend) != AccessMode.Shared) return true;
        }
        return false;
    }

    /// <summary>The access without the backends in which the caller can see nothing.</summary>
    public Access NarrowBackends(Access access)
    {
        if (!AreLimited(access)) return access;
        var current = options.Value;
        return Narrow(access, [.. access.Backends.Where(
            backend => current.MaySeeAny(access.Caller, backend) || emergencies.HasAny(access.Caller))]);
    }

    /// <summary>The access to one study: without the backends whose part of it the caller may not see.</summary>
    /// <param name="access">The backends behind the root.</param>
    /// <param name="study">The study.</param>
    /// <param name="action">What the caller wants to do.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>
    /// The access; without backends when the study is denied or absent everywhere, and then with the failures of backends that could not
    /// be asked.
    /// </returns>
    public ValueTask<NarrowedAccess> NarrowAsync(Access access, Uid study, StudyAction action, CancellationToken cancellation) =>
        AreLimited(access) ? NarrowLimitedAsync(access, study, action, cancellation) : new(new NarrowedAccess(access, [], null));

    /// <summary>
    /// The access to a search for studies by their UIDs: without the backends in which the caller may see none of them. All of them are
    /// decided before the search, so that a denied study takes as long as an absent one.
    /// </summary>
    public async Task<NarrowedAccess> NarrowAsync(Access access, IReadOnlyCollection<Uid> studies, CancellationToken cancellation)
    {
        var narrowed = await Task.WhenAll(studies.Select(
            study => NarrowAsync(access, study, StudyAction.View, cancellation).AsTask()));
        return new(
            Narrow(access, [.. access.Backends.Where(backend => narrowed.Any(one => one.Access.Has(backend.Name)))]),
            [.. narrowed.SelectMany(one => one.Failures).DistinctBy(failure => failure.Backend)], null);
    }

    /// <summary>Whether a caller may see a study of a backend.</summary>
    public async ValueTask<bool> MayAsync(
        Caller caller, BackendOptions backend, Uid study, StudyAction action, CancellationToken cancellation) =>
        (await DecideAsync(caller, backend, study, action, cancellation)).IsGranted;

    /// <summary>The studies of one backend that a caller may see.</summary>
    /// <param name="caller">The caller.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="studies">The studies, with their rows if these are known.</param>
    /// <param name="isOwnAnswer">Whether the backend gave them to this caller's own token.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<IReadOnlySet<Uid>> FilterAsync(
        Caller caller, BackendOptions backend, IReadOnlyDictionary<Uid, Dataset?> studies, bool isOwnAnswer,
        CancellationToken cancellation)
    {
        var current = options.Value;
        var mode = current.GetMode(backend);
        if (mode == AccessMode.Shared || ReferenceEquals(caller, Caller.Proxy) || (mode == AccessMode.Probe && isOwnAnswer))
            return studies.Keys.ToHashSet();
        if (mode == AccessMode.Probe)
            return caller.Token is null ? new HashSet<Uid>() : (await traits.ReadAsync(backend, [.. studies.Keys], asksAlways: true,
                cancellation)).Keys.ToHashSet();
        var (known, granted) = (new Dictionary<Uid, StudyTraits>(), new HashSet<Uid>());
        var undecided = new List<Uid>();
        foreach (var (study, row) in studies)
        {
            if (FindDecision(new(GetKey(caller), backend.Name, StudyAction.View, study), current) is { Emergency: null } decided)
            {
                if (decided.IsGranted) granted.Add(study);
                continue;
            }
            undecided.Add(study);
            if (row is not null && traits.HasAll(row)) known[study] = StudyTraits.Create(row);
        }
        var unknown = undecided.Where(study => !known.ContainsKey(study)).ToList();
        foreach (var (study, read) in await traits.ReadAsync(backend, unknown, asksAlways: false, cancellation)) known[study] = read;
        granted.UnionWith(known.Where(study => IsAllowed(current, caller, backend, study.Key, study.Value)).Select(study => study.Key));
        await AddGrantedByPointAsync(granted, known, caller, backend, cancellation);
        return granted;
    }

    /// <summary>
    /// Whether a caller may store instances of a study: the caller may see it, or a rule allows every study of the backend. A new study
    /// needs such a rule, so that a refusal does not tell whether the study exists.
    /// </summary>
    public async ValueTask<bool> MayStoreAsync(Caller caller, BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        var current = options.Value;
        return current.GetMode(backend) != AccessMode.Policy || ReferenceEquals(caller, Caller.Proxy)
            || current.Rules.Any(rule => rule.IsForEveryStudy && rule.MayApply(caller, backend.Name))
            || await MayAsync(caller, backend, study, StudyAction.Store, cancellation);
    }

    /// <summary>The access without the backends into whose part of a study the caller may not store.</summary>
    public async ValueTask<Access> NarrowToStoreAsync(Access access, Uid study, CancellationToken cancellation)
    {
        if (!AreLimited(access)) return access;
        var allowed = await Task.WhenAll(access.Backends.Select(
            backend => MayStoreAsync(access.Caller, backend, study, cancellation).AsTask()));
        return Narrow(access, [.. access.Backends.Where((_, i) => allowed[i])]);
    }

    private async ValueTask<NarrowedAccess> NarrowLimitedAsync(
        Access access, Uid study, StudyAction action, CancellationToken cancellation)
    {
        var deciding = new Task<StudyDecision>?[access.Backends.Count];
        var decisions = new StudyDecision[access.Backends.Count];
        for (var i = 0; i < decisions.Length; i++)
        {
            var decision = DecideAsync(access.Caller, access.Backends[i], study, action, cancellation);
            if (decision.IsCompletedSuccessfully) decisions[i] = decision.Result;
            else deciding[i] = decision.AsTask();
        }
        for (var i = 0; i < decisions.Length; i++)
        {
            if (deciding[i] is { } running) decisions[i] = await running;
        }
        if (decisions.All(decision => decision is { IsGranted: true, Emergency: null }))
            return new(access with { IsLimited = true }, [], null);
        return new(
            Narrow(access, [.. access.Backends.Where((_, i) => decisions[i].IsGranted)]),
            [.. decisions.Where(decision => !decision.IsGranted).Select(decision => decision.Failure).OfType<BackendFailure>()],
            decisions.FirstOrDefault(decision => decision.Emergency is not null)?.Emergency);
    }

    private static Access Narrow(Access access, IReadOnlyList<BackendOptions> allowed) =>
        allowed.Count == access.Backends.Count
            ? access with { IsLimited = true }
            : access with { Backends = allowed, IsNarrowed = true, IsLimited = true };

    private ValueTask<StudyDecision> DecideAsync(
        Caller caller, BackendOptions backend, Uid study, StudyAction action, CancellationToken cancellation)
    {
        var current = options.Value;
        if (current.GetMode(backend) == AccessMode.Shared || ReferenceEquals(caller, Caller.Proxy)) return new(StudyDecision.Granted);
        var key = new DecisionKey(GetKey(caller), backend.Name, action, study);
        return FindDecision(key, current) is { } known ? new(known) : new(DecideOnceAsync(key, current, caller, backend, cancellation));
    }

    private StudyDecision? FindDecision(DecisionKey key, AccessOptions current) =>
        _decisions.TryFind(key, out var cached) && ReferenceEquals(cached.Under, current)
            && (cached.Decision.Emergency is null || cached.Decision.Emergency.Until > time.GetUtcNow())
            ? cached.Decision
            : null;

    /// <summary>Identifies the rights of a caller: the credential, or the identity of a caller without a credential of its own.</summary>
    public static string GetKey(Caller caller) => caller.Key.Length > 0 ? caller.Key : caller.Identity;

    private async Task<StudyDecision> DecideOnceAsync(
        DecisionKey key, AccessOptions current, Caller caller, BackendOptions backend, CancellationToken cancellation)
    {
        var (decision, lifetime) = current.GetMode(backend) == AccessMode.Probe
            ? await ProbeAsync(key, current, caller, backend, cancellation)
            : await JudgeAsync(key, current, caller, backend, cancellation);
        lifetime = decision.IsGranted ? lifetime : AccessOptions.DeniedLifetime;
        var left = caller.Expires - time.GetUtcNow();
        if (decision.Failure is null) _decisions.Add(key, new(decision, current), 200, lifetime < left ? lifetime : left);
        return decision;
    }

    private async Task<(StudyDecision Decision, TimeSpan Lifetime)> ProbeAsync(
        DecisionKey key, AccessOptions current, Caller caller, BackendOptions backend, CancellationToken cancellation)
    {
        if (caller.Token is null) return (StudyDecision.Denied, default);
        var answer = await traits.AskAsync(backend, key.Study, cancellation);
        // A refusal of the token is the backend's decision, and no outage.
        if (answer.Failure is { Error: BackendError.Refused }) return (StudyDecision.Denied, default);
        return (new(answer is { Traits: not null, Failure: null }, answer.Failure), current.ProbeLifetime);
    }

    private async Task<(StudyDecision Decision, TimeSpan Lifetime)> JudgeAsync(
        DecisionKey key, AccessOptions current, Caller caller, BackendOptions backend, CancellationToken cancellation)
    {
        // An emergency is a reason to look at a study, not to change it.
        var isView = key.Action == StudyAction.View;
        var emergency = isView ? emergencies.Find(caller, key.Study, patientId: null) : null;
        // No study of this backend can be allowed, so there is nothing that the time of an answer could tell.
        if (emergency is null && !current.MaySeeAny(caller, backend) && !(isView && emergencies.HasAny(caller)))
            return (StudyDecision.Denied, default);
        var stored = await traits.FindStoredAsync(backend, key.Study, cancellation);
        // To judge a study takes time, also one that is not stored.
        if (stored is null) IsAllowed(current, caller, backend, key.Study, StudyTraits.CreateSample());
        // A right needs a fresh description; a negative decision does not, and its backend is asked later.
        var isKnown = stored is var (old, isFresh)
            && (isFresh || (current.DecisionUrl is null && !IsAllowed(current, caller, backend, key.Study, old)));
        var answer = isKnown ? new(stored!.Value.Traits, null) : await traits.AskAsync(backend, key.Study, cancellation);
        // While the backend is down, a decision about a stored study rests on its last row.
        var study = answer.Traits ?? (answer.Failure is null ? null : stored?.Traits);
        if (study is not null)
        {
            if (IsAllowedByRule(current, caller, backend, study)) return (StudyDecision.Granted, current.DecisionLifetime);
            if (isView) emergency ??= emergencies.Find(caller, key.Study, study.PatientId);
        }
        if (current.DecisionUrl is not null)
        {
            var judged = new JudgedStudy($"{key.Study}", study?.PatientId ?? "", backend.Name);
            var judgement = await point.AskAsync(caller, key.Action, [judged], cancellation);
            if (study is not null && judgement is [{ IsGranted: true } granted]) return (StudyDecision.Granted, granted.Validity);
        }
        if (study is not null && emergency is not null) return (new(true, Emergency: emergency), current.DecisionLifetime);
        if (!isKnown) return (StudyDecision.Denied with { Failure = answer.Failure }, default);
        // About an absent study the backend is asked once. So it is about a denied one, for a study that does not exist.
        if (!stored!.Value.IsFresh) traits.AskLater(backend, key.Study);
        return (StudyDecision.Denied with { Failure = await traits.AskForNothingAsync(backend, cancellation) }, default);
    }

    private bool IsAllowed(AccessOptions current, Caller caller, BackendOptions backend, Uid study, StudyTraits known) =>
        IsAllowedByRule(current, caller, backend, known) || emergencies.Find(caller, study, known.PatientId) is not null;

    private bool IsAllowedByRule(AccessOptions current, Caller caller, BackendOptions backend, StudyTraits study)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        return current.Rules.Any(rule => rule.Allows(caller, backend.Name, study, today));
    }

    private async Task AddGrantedByPointAsync(
        HashSet<Uid> granted, Dictionary<Uid, StudyTraits> known, Caller caller, BackendOptions backend, CancellationToken cancellation)
    {
        if (options.Value.DecisionUrl is null) return;
        var current = options.Value;
        List<Uid> asked = [.. known.Keys.Where(study => !granted.Contains(study))];
        var answers = await point.AskAsync(
            caller, StudyAction.View, [.. asked.Select(study => new JudgedStudy($"{study}", known[study].PatientId, backend.Name))],
            cancellation);
        foreach (var (study, answer) in asked.Zip(answers))
        {
            if (answer is not { IsGranted: true } judgement) continue;
            granted.Add(study);
            if (judgement.Validity <= TimeSpan.Zero) continue;
            var key = new DecisionKey(GetKey(caller), backend.Name, StudyAction.View, study);
            _decisions.Add(key, new(StudyDecision.Granted, current), 200, judgement.Validity);
        }
    }

    /// <summary>An emergency access of a caller that holds now; null for none.</summary>
    public EmergencyGrant? FindEmergency(Caller caller) => emergencies.FindAny(caller);

    /// <summary>Discards the decisions about a caller, after an emergency access was granted.</summary>
    public void Forget(Caller caller) => _decisions.RemoveWhere(key => key.Caller == GetKey(caller));

    /// <summary>The backend of this name, if the caller may see anything in it.</summary>
    public BackendOptions? FindVisible(Caller caller, string backend) =>
        backends.Find(backend) is { } found && (ReferenceEquals(caller, Caller.Proxy) || options.Value.MaySeeAny(caller, found)
            || emergencies.HasAny(caller)) ? found : null;
}

/// <summary>The access to one study.</summary>
/// <param name="Access">The access.</param>
/// <param name="Failures">Backends that could not be asked about it.</param>
/// <param name="Emergency">The emergency access that it rests on; null for ordinary rights.</param>
public sealed record NarrowedAccess(Access Access, IReadOnlyList<BackendFailure> Failures, EmergencyGrant? Emergency);
