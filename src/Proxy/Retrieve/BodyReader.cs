using System.Net;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Checks;
using Proxy.Search;
using Proxy.Metadata;

namespace Proxy.Retrieve;

/// <summary>Gives frames and whole instances: from the cache, else from the backend that the series belongs to.</summary>
/// <remarks>
/// <code>
/// 1 kept       in the form that the backend would give
/// 2 ask        every acceptable form in one request; where that fails for the form's sake, one form after the other
/// 3 fall back  what is kept in a lesser form, when the backend cannot give any
/// </code>
/// Another holder gives a frame in place of the owner only when its own metadata was read: then the series is its own.
/// </remarks>
public sealed class BodyReader(
    BodyFetch fetch, BackendSet backends, BackendScheduler scheduler, SeriesListReader lists, SeriesReader series,
    DicomMetadataStore store, CachedBodies kept,
    GivenForms given, PixelDescriptions pixels)
{
    /// <summary>As viewers ask for frames.</summary>
    private static readonly Negotiation PrefetchedFrames = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>As viewers ask for segmentations and structure sets.</summary>
    private static readonly Negotiation PrefetchedInstances = Negotiation.ForInstances(
        Accept.Parse($"multipart/related; type=\"{BodyFormat.Dicom}\""));

    /// <summary>What is wanted, in which forms, and what has been tried for it.</summary>
    private sealed record Wanted(BackendScope Scope, BodyPath Body, Negotiation Negotiation, Placement Keep)
    {
        public InstancePath Path => Body.Path;

        public HashSet<string> Tried { get; } = [];

        /// <summary>Backends that work and do not have it, or not in an acceptable form.</summary>
        public HashSet<string> Without { get; } = [];

        public List<BackendFailure> Failures { get; } = [];
    }

    /// <param name="scope">Whose.</param>
    /// <param name="path">The instance, or the one that the frame is in.</param>
    /// <param name="frame">Its number; null for the instance itself.</param>
    /// <param name="negotiation">What the client accepts; at least one form.</param>
    /// <param name="placement">Where it is worth keeping.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async Task<BodyResult> ReadAsync(
        BackendScope scope, InstancePath path, int? frame, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        // Pixels never change under their UID, but a series may be gone.
        var known = await lists.RevalidateAsync(scope, path.Study, cancellation);
        var wanted = new Wanted(scope, new(path, frame), negotiation, placement);
        if (await TryHoldersAsync(wanted, HoldersOf(known), cancellation) is { } body) return Shown(body);
        var places = await lists.LocateAsync(scope, path.Study, returnEarly: true, bypassCache: false, cancellation);
        wanted.Failures.AddRange(places.Failures.ExceptBy(wanted.Failures.Select(f => f.Backend), f => f.Backend));
        var unlisted = SeriesReader.UnlistedIn(places, scope, path.Series).Select(l => l.Backend);
        return await TryHoldersAsync(wanted, [.. HoldersOf(places.Study), .. unlisted], cancellation) is { } found
            ? Shown(found)
            : BodyResult.None(wanted.Failures);

        BodyResult Shown(BodyResult result)
        {
            store.ShowMetadata(result.Backend, path.SeriesPath);
            return result;
        }

        List<string> HoldersOf(Study? study) => [.. series.GetHolders(study, scope, path.Series).Select(l => l.Backend)];
    }

    /// <summary>The same from one backend alone, for a client that already has objects of the series from it.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance.</param>
    /// <param name="negotiation">The forms that the client accepts.</param>
    /// <param name="placement">Where the body is kept.</param>
    /// <param name="cancellation">Cancelled when the client leaves.</param>
    public async Task<BodyResult> ReadFromAsync(
        BackendOptions backend, InstancePath path, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        var body = new BodyPath(path, null);
        if (await kept.FindAsync(backend.Name, body, negotiation, cancellation) is { } found) return BodyResult.Hit(found, backend.Name);
        var result = await AskAsync(backend, body, negotiation, placement, isAhead: false, cancellation);
        if (result.Body is null && await kept.FindAnyAsync(backend.Name, body, negotiation, cancellation) is { } lesser)
            return BodyResult.Hit(lesser, backend.Name);
        return result;
    }

    /// <summary>Whether the metadata in the store says that the instance lacks one of these frames. No backend is asked.</summary>
    /// <param name="scope">The root that was asked.</param>
    /// <param name="path">The instance.</param>
    /// <param name="frames">Their numbers, from 1.</param>
    public bool LacksFrame(BackendScope scope, InstancePath path, IReadOnlyList<int> frames) =>
        series.GetHolders(store.GetStudy(path.Study), scope, path.Series).FirstOrDefault() is { } owner
        && pixels.Find(owner.Backend, path) is { } described && frames.Any(number => !described.HasFrame(number));

    /// <summary>Whether a frame as it is stored, or an instance, is kept of what a backend gives.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance, or the one that the frame is in.</param>
    /// <param name="frame">Its number; null for the instance itself.</param>
    /// <param name="isCut">Whether the frame can be cut out of the instance: then the instance will do.</param>
    /// <param name="cancellation">Ends the look-up.</param>
    public ValueTask<bool> IsCachedAsync(string backend, InstancePath path, int? frame, bool isCut, CancellationToken cancellation) =>
        kept.HasAsync(backend, new(path, frame), GetPrefetchNegotiation(frame), isCut, cancellation);

    /// <summary>Fetches what no client asked for yet: a frame as it is stored, or an instance.</summary>
    /// <param name="backend">Whose series it is.</param>
    /// <param name="path">The instance, or the one that the frame is in.</param>
    /// <param name="frame">Its number; null for the instance itself.</param>
    /// <param name="cancellation">Leaves it; a client that joined keeps it going.</param>
    /// <returns>How many bytes came; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> PrefetchAsync(
        BackendOptions backend, InstancePath path, int? frame, CancellationToken cancellation)
    {
        using var result = await AskAsync(
            backend, new(path, frame), GetPrefetchNegotiation(frame), Placement.Prefetched, isAhead: true, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var bytes = 0L;
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
            return new(bytes);
        }
        catch (BrokenBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body broke off"));
        }
    }

    private static Negotiation GetPrefetchNegotiation(int? frame) => frame is null ? PrefetchedInstances : PrefetchedFrames;

    /// <summary>The body from the first of these backends that gives it; null when none does.</summary>
    private async Task<BodyResult?> TryHoldersAsync(Wanted wanted, IReadOnlyList<string> holders, CancellationToken cancellation)
    {
        foreach (var holder in holders)
        {
            if (backends.Find(holder) is not { } backend || !wanted.Tried.Add(holder)) continue;
            var owner = store.GetStudy(wanted.Path.Study)?.Owners.GetValueOrDefault(wanted.Path.Series);
            var standsIn = wanted.Scope.IsAll && owner is not null && owner != holder;
            // A client has the owner's metadata: a frame that the owner lacks is no frame of it, whoever else has one of that number.
            if (standsIn && wanted.Body.Frame is not null && wanted.Without.Contains(owner!) && IsHolder(owner!, wanted.Path)) return null;
            if (standsIn && !await series.CanStandInAsync(holder, wanted.Path, cancellation)) continue;
            if (await TryAsync(wanted, backend, cancellation) is not { } body) continue;
            // An instance that the owner does not have is no reason to take the others from it.
            if (!standsIn || !holders.Contains(owner) || wanted.Failures.Any(f => f.Backend == owner && f.Error != BackendError.Busy))
                series.SetOwner(wanted.Scope, holder, wanted.Path.SeriesPath);
            return body;
        }
        return null;
    }

    private async Task<BodyResult?> TryAsync(Wanted wanted, BackendOptions backend, CancellationToken cancellation)
    {
        // 1
        if (await kept.FindAsync(backend.Name, wanted.Body, wanted.Negotiation, cancellation) is { } found)
            return BodyResult.Hit(found, backend.Name);
        if (wanted.Body.Frame is { } number && pixels.Find(backend.Name, wanted.Path)?.HasFrame(number) == false)
        {
            wanted.Without.Add(backend.Name);
            return null;
        }
        // 2
        var result = await AskAsync(backend, wanted.Body, wanted.Negotiation, wanted.Keep, isAhead: false, cancellation);
        if (result.Body is not null) return result;
        if (result.Failures.Count == 0)
        {
            if (await lists.DoubtAsync(backend, wanted.Path.Study, cancellation) is { } failure) wanted.Failures.Add(failure);
            else wanted.Without.Add(backend.Name);
            return null;
        }
        // 3
        if (wanted.Negotiation.Formats.Length > 1
            && await kept.FindAnyAsync(backend.Name, wanted.Body, wanted.Negotiation, cancellation) is { } lesser)
            return BodyResult.Hit(lesser, backend.Name);
        wanted.Failures.AddRange(result.Failures);
        // What a client accepts is no reason to move the series to another backend.
        if (result.Failures.Any(IsNotInThisForm)) wanted.Without.Add(backend.Name);
        return null;
    }

    private static bool IsNotInThisForm(BackendFailure failure) =>
        failure.Error == BackendError.NotInThisForm || failure is { Error: BackendError.BadStatus, Status: HttpStatusCode.NotAcceptable };

    private bool IsHolder(string backend, InstancePath path) =>
        store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series) is not null;

    /// <summary>Asks one backend: for all forms at once, then form by form as long as it fails for the form's sake.</summary>
    private async Task<BodyResult> AskAsync(
        BackendOptions backend, BodyPath body, Negotiation negotiation, Placement placement, bool isAhead, CancellationToken cancellation)
    {
        var path = body.Path.SeriesPath;
        var plan = new AskPlan(negotiation, given.Find(backend.Name, path, negotiation), given.FindStored(backend.Name, path));
        var result = BodyResult.None([]);
        BodyResult? withoutIt = null;
        for (BackendFailure? failure = null; plan.Next(failure) is { } asked; failure = result.Failures[0])
        {
            var lookup = kept.Get(
                backend.Name, body, asked, (fill, stopped) => fetch.AskAsync(backend, body, asked, fill, stopped), placement);
            // It has joined by now: what is broken off for it is something else.
            var waiting = isAhead || lookup.Reader is null ? null : scheduler.BeginForeground(backend.Name, new(path.Study, path.Series));
            result = await BodyResult.FromLookupAsync(lookup, backend.Name, cancellation, waiting);
            if (result.Body is { } found)
            {
                if (negotiation.Choose(found.Head) is not null)
                {
                    given.Note(backend.Name, path, negotiation, asked.Only, found.Head);
                    return result;
                }
                result.Dispose();
                result = BodyResult.None(
                    [new(backend.Name, BackendError.BadStatus, "it gives no acceptable form", HttpStatusCode.NotAcceptable)]);
            }
            if (result.Failures.Count == 0) return result;
            // No form at all says more than not this form.
            if (asked.Only is not null && result.Failures[0].Error == BackendError.NotGiven) withoutIt = result;
        }
        return withoutIt ?? result;
    }
}
