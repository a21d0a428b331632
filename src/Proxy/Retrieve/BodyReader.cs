using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Reads frames and whole instances: from the cache, else from the backend that owns the series.</summary>
/// <remarks>
/// <code>
/// 1 cached     in the form that the backend would give, or arriving in it
/// 2 ask        every acceptable form in one request; when that fails because of the form, one form after the other
/// 3 cut        a video out of its instance, when the backend does not give it as a frame
/// 4 fall back  a cached body in a less preferred form, when the backend cannot give any
/// </code>
/// Another holder gives a frame in place of the owner only after its own metadata was read (<see cref="OwnerRule"/>).
/// </remarks>
public sealed class BodyReader(
    PlannedFetch fetch, BackendSet backends, SeriesLocator locator, SeriesReader series, DicomMetadataStore store, CachedBodies cached,
    PixelDescriptions pixels)
{
    /// <summary>The form in which viewers request frames.</summary>
    private static readonly Negotiation PrefetchedFrames = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>The form in which viewers request segmentations and structure sets.</summary>
    private static readonly Negotiation PrefetchedInstances = Negotiation.ForInstances(
        Accept.Parse($"multipart/related; type=\"{BodyFormat.Dicom}\""));

    /// <summary>The requested body with its acceptable forms, and the backends that were tried for it.</summary>
    private sealed record Wanted(Access Scope, BodyPath Body, Negotiation Negotiation, Placement Placement)
    {
        public InstancePath Path => Body.Path;

        public HashSet<string> Tried { get; } = [];

        /// <summary>Backends that work but do not have the body, or not in an acceptable form.</summary>
        public HashSet<string> Without { get; } = [];

        public List<BackendFailure> Failures { get; } = [];
    }

    /// <summary>Reads a frame or an instance for a client.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The instance, or the instance of the frame.</param>
    /// <param name="frame">The frame number, from 1; null for the instance itself.</param>
    /// <param name="negotiation">The forms that the client accepts; at least one.</param>
    /// <param name="placement">The tiers to store a fetched body in.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<BodyResult> ReadAsync(
        Access access, InstancePath path, int? frame, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        using var span = Spans.Start("retrieve");
        // Pixels never change under their UID, but the series may have been removed.
        var known = await locator.RevalidateAsync(access, path.Study, cancellation);
        var wanted = new Wanted(access, new(path, frame), negotiation, placement);
        if (await TryHoldersAsync(wanted, FindHolders(known), cancellation) is { } body) return MarkRequested(body);
        var places = await locator.LocateEarlyAsync(access, path.Study, path.Series, ReadPurpose.Client, cancellation);
        wanted.Failures.AddRange(places.Failures.ExceptBy(wanted.Failures.Select(f => f.Backend), f => f.Backend));
        var unlisted = places.FindUnlisted(access, path.Series).Select(l => l.Backend);
        return await TryHoldersAsync(wanted, [.. FindHolders(places.Study), .. unlisted], cancellation) is { } found
            ? MarkRequested(found)
            : BodyResult.None(wanted.Failures);

        BodyResult MarkRequested(BodyResult result)
        {
            store.MarkMetadataRequested(result.Backend, path.SeriesPath);
            return result;
        }

        List<string> FindHolders(Study? study) => [.. locator.GetHolders(study, access, path.Series).Select(l => l.Backend)];
    }

    /// <summary>Reads an instance from one backend only, for a client that already has objects of the series from it.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance.</param>
    /// <param name="negotiation">The forms that the client accepts.</param>
    /// <param name="placement">The tiers to store a fetched body in.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<BodyResult> ReadFromAsync(
        BackendOptions backend, InstancePath path, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        var body = new BodyPath(path, null);
        if (await cached.FindAsync(backend.Name, body, negotiation, placement, cancellation) is { } found)
            return await fetch.WaitAsync(found, backend, body, cancellation);
        var result = await fetch.AskAsync(backend, body, negotiation, placement, cancellation);
        if (result.Body is null && await cached.FindAnyAsync(backend.Name, body, negotiation, cancellation) is { } lesser)
            return BodyResult.Hit(lesser, backend.Name);
        return result;
    }

    /// <summary>True when the metadata in the store shows that the instance lacks one of these frames. No backend is asked.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The instance.</param>
    /// <param name="frames">The frame numbers, from 1.</param>
    public bool LacksFrame(Access access, InstancePath path, IReadOnlyList<int> frames) =>
        locator.GetHolders(store.GetStudy(path.Study), access, path.Series).FirstOrDefault() is { } owner
        && pixels.Find(owner.Backend, path) is { } described && frames.Any(number => !described.HasFrame(number));

    /// <summary>True when a backend's frame as stored, or its instance, is cached.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The instance, or the instance of the frame.</param>
    /// <param name="frame">The frame number, from 1; null for the instance itself.</param>
    /// <param name="isCut">True when the frame can be cut out of the instance, so that a cached instance is sufficient.</param>
    /// <param name="cancellation">Cancels the look-up.</param>
    public ValueTask<bool> IsCachedAsync(string backend, InstancePath path, int? frame, bool isCut, CancellationToken cancellation) =>
        cached.HasAsync(backend, new(path, frame), GetPrefetchNegotiation(frame), isCut, cancellation);

    /// <summary>Fetches a frame as stored, or an instance, before a client requests it.</summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="path">The instance, or the instance of the frame.</param>
    /// <param name="frame">The frame number, from 1; null for the instance itself.</param>
    /// <param name="cancellation">Cancels the prefetch; the fetch continues when a client has joined it.</param>
    /// <returns>The number of bytes received; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> PrefetchAsync(
        BackendOptions backend, InstancePath path, int? frame, CancellationToken cancellation)
    {
        using var result = await fetch.AskAsync(
            backend, new(path, frame), GetPrefetchNegotiation(frame), Placement.Prefetched, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var bytes = 0L;
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
            return new(bytes);
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body was truncated"));
        }
    }

    /// <summary>Fetches an instance as stored to its end, so that its frames can be cut out of it.</summary>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="path">The instance.</param>
    /// <param name="cancellation">Cancels the prefetch; the fetch continues when a client has joined it.</param>
    /// <returns>The number of bytes received; missing when the backend does not have it.</returns>
    public Task<BackendAnswer<long>> PrefetchFileAsync(BackendOptions backend, InstancePath path, CancellationToken cancellation) =>
        fetch.FetchInstanceAsync(backend, path, Placement.Prefetched, cancellation);

    private static Negotiation GetPrefetchNegotiation(int? frame) => frame is null ? PrefetchedInstances : PrefetchedFrames;

    /// <summary>The body from the first of these backends that gives it; null when none does.</summary>
    private async Task<BodyResult?> TryHoldersAsync(Wanted wanted, IReadOnlyList<string> holders, CancellationToken cancellation)
    {
        foreach (var holder in holders)
        {
            if (backends.Find(holder) is not { } backend || !wanted.Tried.Add(holder)) continue;
            var study = store.GetStudy(wanted.Path.Study);
            var replaced = OwnerRule.FindReplaced(study, wanted.Scope, wanted.Path.Series, holder);
            if (wanted.Body.Frame is not null && OwnerRule.IsAbsent(study, wanted.Path.Series, replaced, wanted.Without)) return null;
            // A frame names no study: its instance must be in the metadata of the study that this client may see.
            var needsProof = replaced is not null || (wanted.Scope.IsLimited && wanted.Body.Frame is not null);
            if (needsProof && !await series.CanStandInAsync(backend, wanted.Path, cancellation)) continue;
            if (await TryAsync(wanted, backend, cancellation) is not { } body) continue;
            if (OwnerRule.BecomesOwner(replaced, holders, wanted.Failures))
                locator.SetOwner(wanted.Scope, holder, wanted.Path.SeriesPath);
            return body;
        }
        return null;
    }

    private async Task<BodyResult?> TryAsync(Wanted wanted, BackendOptions backend, CancellationToken cancellation)
    {
        // 1
        if (await cached.FindAsync(backend.Name, wanted.Body, wanted.Negotiation, wanted.Placement, cancellation) is { } found)
            return await fetch.WaitAsync(found, backend, wanted.Body, cancellation);
        if (wanted.Body.Frame is { } number && pixels.Find(backend.Name, wanted.Path)?.HasFrame(number) == false)
        {
            wanted.Without.Add(backend.Name);
            return null;
        }
        // 2
        var result = await fetch.AskAsync(backend, wanted.Body, wanted.Negotiation, wanted.Placement, cancellation);
        if (result.Body is not null) return result;
        if (result.Failures.Count == 0)
        {
            if (await locator.RecheckAsync(backend, wanted.Path.Study, cancellation) is { } failure) wanted.Failures.Add(failure);
            else wanted.Without.Add(backend.Name);
            return null;
        }
        // 3
        if (await CutVideoAsync(wanted, backend, cancellation) is { } video) return video;
        // 4
        if (wanted.Negotiation.Formats.Length > 1
            && await cached.FindAnyAsync(backend.Name, wanted.Body, wanted.Negotiation, cancellation) is { } lesser)
            return BodyResult.Hit(lesser, backend.Name);
        wanted.Failures.AddRange(result.Failures);
        // The forms that one client accepts are no reason to move the series to another backend.
        if (result.Failures.Any(IsNotInThisForm)) wanted.Without.Add(backend.Name);
        return null;
    }

    private async Task<BodyResult?> CutVideoAsync(Wanted wanted, BackendOptions backend, CancellationToken cancellation) =>
        wanted.Body.Frame == 1 && pixels.Find(backend.Name, wanted.Path)?.IsVideo == true
        && (await fetch.FetchInstanceAsync(backend, wanted.Path, wanted.Placement, cancellation)).IsFound
        && await cached.FindAnyAsync(backend.Name, wanted.Body, wanted.Negotiation, cancellation) is { } video
            ? BodyResult.Hit(video, backend.Name) with { Status = CacheStatus.Miss }
            : null;

    private static bool IsNotInThisForm(BackendFailure failure) =>
        failure.Error == BackendError.NotInThisForm || failure is { Error: BackendError.BadStatus, Status: ErrorStatus.NotAcceptable };
}
