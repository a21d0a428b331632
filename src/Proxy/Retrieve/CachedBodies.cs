using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Finds cached frames and instances by the forms that a client accepts, and determines the cache key of an answer.</summary>
/// <remarks>
/// The stored form has a key of its own; every other form has the key of its transfer syntax, however the request spelled it. A
/// frame is also cut out of a cached whole instance.
/// </remarks>
public sealed class CachedBodies(
    EntryCache cache, FrameCutter cutter, ObservedForms given, PixelDescriptions pixels, ILogger<CachedBodies> log)
{
    /// <summary>
    /// A cached body in a form that the backend would give: a best form, or a lesser form that it gave for the same negotiation. A body
    /// that arrives in such a form is joined.
    /// </summary>
    /// <param name="backend">The backend of the body.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="negotiation">The forms that the client accepts.</param>
    /// <param name="placement">
    /// Where to store a body that arrives. <see cref="Placement.Prefetched"/>: only memory is searched, and no use is marked.
    /// </param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>An <see cref="ICachedBody"/>, or the reader of the body in flight.</returns>
    public ValueTask<IBody?> FindAsync(
        string backend, BodyPath body, Negotiation negotiation, Placement placement, CancellationToken cancellation)
    {
        if (negotiation.Formats.Length == 1)
            return FindAsync(backend, body, negotiation, negotiation.Formats, placement, cancellation);
        var best = negotiation.Forms[0].Rank;
        List<BodyFormat> formats = [.. negotiation.Forms.Where(f => f.Rank == best).Select(f => f.Format).Distinct()];
        foreach (var known in given.Find(backend, body.Path.SeriesPath, negotiation))
        {
            // Among equally acceptable forms, prefer the form that the backend gave before.
            if (formats.RemoveAll(f => f.Canonical == known) > 0) formats.Insert(0, known);
            else if (!formats.Exists(f => f.IsSatisfiedBy(known.MediaType, known.TransferSyntax))) formats.Add(known);
        }
        return FindAsync(backend, body, negotiation, formats, placement, cancellation);
    }

    /// <summary>A cached body in any acceptable form, for use when the backend cannot give one.</summary>
    /// <inheritdoc cref="FindAsync(string, BodyPath, Negotiation, Placement, CancellationToken)"/>
    public async ValueTask<ICachedBody?> FindAnyAsync(
        string backend, BodyPath body, Negotiation negotiation, CancellationToken cancellation) =>
        (ICachedBody?)await FindAsync(backend, body, negotiation, negotiation.Formats, placement: null, cancellation);

    /// <summary>True when a body is cached in any acceptable form.</summary>
    /// <param name="backend">The backend of the body.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="isCut">True when a frame can be cut out of its instance, so that a cached instance is sufficient.</param>
    /// <param name="cancellation">Cancels the look-up.</param>
    public ValueTask<bool> HasAsync(string backend, BodyPath body, Negotiation negotiation, bool isCut, CancellationToken cancellation) =>
        cache.HasAsync(
            [.. GetCandidates(backend, body, negotiation.Formats).Where(candidate => isCut || !candidate.IsContainer)], cancellation);

    /// <summary>The number of instances that are not cached in any acceptable form, counted up to <paramref name="max"/> + 1.</summary>
    /// <param name="series">The instances, and their backend.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    /// <param name="max">The count at which the look-up ends.</param>
    /// <param name="cancellation">Cancels the look-up.</param>
    public ValueTask<int> CountMissingAsync(SeriesInstances series, Negotiation negotiation, int max, CancellationToken cancellation) =>
        cache.CountMissingAsync(
            series.Instances.Select(
                uid => (IReadOnlyList<AcceptableEntry>)
                    [.. GetCandidates(series.Backend, new(new(series.Path.Study, series.Path.Series, uid), null), negotiation.Formats)]),
            max, cancellation);

    /// <summary>Joins or starts a fetch; the answer is cached under the form that it has.</summary>
    /// <param name="backend">The backend to ask.</param>
    /// <param name="body">The frame or instance.</param>
    /// <param name="asked">The requested forms.</param>
    /// <param name="fetch">Sends the request.</param>
    /// <param name="placement">The tiers to store the answer in.</param>
    public EntryCache.Lookup Get(string backend, BodyPath body, RequestedForms asked, EntryCache.Fetch fetch, Placement placement)
    {
        var flight = asked.Only is { } only ? only.Canonical : new BodyFormat(asked.Name, "");
        return cache.Get(
            new EntryKey(backend, body.RelativePath, flight), fetch, placement,
            head => new(backend, body.RelativePath, asked.GetKey(head.MediaType, head.TransferSyntax)));
    }

    private async ValueTask<IBody?> FindAsync(
        string backend, BodyPath body, Negotiation negotiation, IReadOnlyList<BodyFormat> formats, Placement? placement,
        CancellationToken cancellation)
    {
        var candidates = GetCandidates(backend, body, formats);
        if (negotiation.Transcoded is { } form)
            candidates = candidates.Prepend(new(TranscodedFrames.GetKey(backend, body, form), form));
        var first = placement == Placement.Prefetched
            ? cache.FindUnused(candidates)
            : await cache.FindAsync(candidates, placement, cancellation);
        if (first is not var (key, found)) return null;
        if (found is not ICachedBody cached) return ChooseOrDispose(found, found, negotiation);
        if (body.Frame is not { } frame || key.Representation.Format!.MediaType != BodyFormat.Dicom)
            return ChooseOrDispose(IsRight(key, body, cached) ? cached : null, cached, negotiation);
        ICachedBody? cut = null;
        try
        {
            cut = await cutter.CutAsync(key, cached, new(body.Path, frame), formats, cancellation);
        }
        finally
        {
            // A cut frame owns the body that it was cut from.
            if (cut is null) cached.Dispose();
        }
        if (cut is not null) return ChooseOrDispose(cut, cut, negotiation);
        // An instance in memory goes before a frame on disk.
        if (await cache.FindAsync(candidates.Where(c => !c.IsContainer), cancellation) is not var (single, alone)) return null;
        return ChooseOrDispose(IsRight(single, body, alone) ? alone : null, alone, negotiation);
    }

    private static IBody? ChooseOrDispose(IBody? found, IBody opened, Negotiation negotiation)
    {
        if (found is not null && negotiation.Choose(found.Head) is not null) return found;
        opened.Dispose();
        return null;
    }

    /// <summary>
    /// Checks the length of a frame that was cached while its metadata was not known. A frame of a wrong length is removed from the cache.
    /// </summary>
    private bool IsRight(EntryKey key, BodyPath body, ICachedBody cached)
    {
        if (cached.IsVerified || body.Frame is not { } frame || pixels.Find(key.Backend, body.Path) is not { } described) return true;
        cached.SetVerified();
        var check = new FrameCheck(RequestedForms.One(key.Representation.Format!), frame, described);
        if (check.IsLength(cached.Head, cached.Length) != false) return true;
        log.CachedFrameRefused(key.Backend);
        cache.Remove(key);
        return false;
    }

    /// <summary>The stored form comes first: when it is acceptable, no transcoded copy is sent.</summary>
    private static IEnumerable<AcceptableEntry> GetCandidates(string backend, BodyPath body, IReadOnlyList<BodyFormat> formats)
    {
        var stored = body.Frame is null ? new(BodyFormat.Dicom, BodyFormat.Any) : BodyFormat.AsStored;
        if (formats.Count == 1 && formats[0] != stored) yield return new(new(backend, body.RelativePath, formats[0].Canonical), formats[0]);
        foreach (var format in formats)
            yield return new(new(backend, body.RelativePath, stored), format == BodyFormat.AsStored ? null : format);
        foreach (var format in formats)
        {
            if (formats.Count > 1 && format != stored) yield return new(new(backend, body.RelativePath, format.Canonical), format);
            if (format.TransferSyntax != BodyFormat.Any) continue;
            // A body that was asked for as an image in any transfer syntax has the key of its own.
            foreach (var syntax in TransferSyntax.FindOfFrameType(format.MediaType))
                yield return new(new(backend, body.RelativePath, new BodyFormat(format.MediaType, syntax)), format);
        }
        if (body.Frame is null) yield break;
        foreach (var whole in FrameCutter.GetContainers(backend, body.Path, formats)) yield return whole;
    }
}
