using System.Collections.Immutable;
using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>A frame or a whole instance.</summary>
/// <param name="Path">The instance, or the one that the frame is in.</param>
/// <param name="Frame">Its number, from 1; null for the instance itself.</param>
public sealed record BodyPath(InstancePath Path, int? Frame)
{
    /// <summary>Below a DICOMweb root.</summary>
    public string RelativePath { get; } = Frame is { } frame ? new FramePath(Path, frame).ToString() : Path.ToString();
}

/// <summary>Looks up frames and instances in the cache by what a client accepts, and says under which key an answer is kept.</summary>
/// <remarks>
/// The stored form has a key of its own, every other form that of its transfer syntax, however it was asked for. A frame is also
/// cut out of a whole instance.
/// </remarks>
public sealed class CachedBodies(EntryCache cache, FrameCutter cutter, GivenForms given)
{
    /// <summary>
    /// A body in the form that the backend would give, too: the best, or a lesser one that it gave to the same negotiation.
    /// </summary>
    /// <param name="backend">Whose body.</param>
    /// <param name="body">Which.</param>
    /// <param name="negotiation">What the client accepts.</param>
    /// <param name="cancellation">The client leaves.</param>
    public ValueTask<ICachedBody?> FindAsync(string backend, BodyPath body, Negotiation negotiation, CancellationToken cancellation)
    {
        if (negotiation.Formats.Length == 1) return FindAsync(backend, body, negotiation, negotiation.Formats, cancellation);
        var best = negotiation.Forms[0].Rank;
        List<BodyFormat> formats = [.. negotiation.Forms.Where(f => f.Rank == best).Select(f => f.Format).Distinct()];
        foreach (var known in given.Find(backend, body.Path.SeriesPath, negotiation))
        {
            // What was given before goes first among equals.
            if (formats.RemoveAll(f => f.Canonical == known) > 0) formats.Insert(0, known);
            else if (!formats.Exists(f => f.IsMetBy(known.MediaType, known.TransferSyntax))) formats.Add(known);
        }
        return FindAsync(backend, body, negotiation, formats, cancellation);
    }

    /// <summary>A body in any acceptable form: for when the backend cannot give one.</summary>
    /// <inheritdoc cref="FindAsync(string, BodyPath, Negotiation, CancellationToken)"/>
    public ValueTask<ICachedBody?> FindAnyAsync(string backend, BodyPath body, Negotiation negotiation, CancellationToken cancellation) =>
        FindAsync(backend, body, negotiation, negotiation.Formats, cancellation);

    /// <summary>True when a body is kept in any acceptable form.</summary>
    /// <param name="backend">Whose body.</param>
    /// <param name="body">Which.</param>
    /// <param name="negotiation">What is acceptable.</param>
    /// <param name="isCut">Whether a frame can be cut out of its instance: then the instance will do.</param>
    /// <param name="cancellation">Ends the look-up.</param>
    public ValueTask<bool> HasAsync(string backend, BodyPath body, Negotiation negotiation, bool isCut, CancellationToken cancellation) =>
        cache.HasAsync(
            [.. GetCandidates(backend, body, negotiation.Formats).Where(candidate => isCut || !candidate.IsContainer)], cancellation);

    /// <summary>Joins or begins a fetch; the answer is kept under the form that it is in.</summary>
    /// <param name="backend">Whom to ask.</param>
    /// <param name="body">For what.</param>
    /// <param name="asked">In which forms.</param>
    /// <param name="fetch">Asks.</param>
    /// <param name="placement">Where the answer is worth keeping.</param>
    public EntryCache.Lookup Get(string backend, BodyPath body, AskedForms asked, EntryCache.Fetch fetch, Placement placement)
    {
        var flight = asked.Only is { } only ? only.Canonical : new BodyFormat(asked.Accept, "");
        return cache.Get(
            new EntryKey(backend, body.RelativePath, flight), fetch, placement,
            head => new(backend, body.RelativePath, asked.GetKey(head)));
    }

    private async ValueTask<ICachedBody?> FindAsync(
        string backend, BodyPath body, Negotiation negotiation, IReadOnlyList<BodyFormat> formats, CancellationToken cancellation)
    {
        if (await cache.FindAsync(GetCandidates(backend, body, formats), cancellation) is not var (key, kept)) return null;
        ICachedBody? found = null, chosen = null;
        try
        {
            found = body.Frame is { } frame && key.Format!.MediaType == BodyFormat.Dicom
                ? await cutter.TryCutAsync(key, kept, new(body.Path, frame), formats, cancellation)
                : kept;
            return chosen = found is not null && negotiation.Choose(found.Head) is not null ? found : null;
        }
        finally
        {
            // A cut has taken the place of the whole.
            if (chosen is null) (found ?? kept).Dispose();
        }
    }

    /// <summary>Of several forms the stored one first: where it will do, a transcoded copy is not sent.</summary>
    private static IEnumerable<AcceptableEntry> GetCandidates(string backend, BodyPath body, IReadOnlyList<BodyFormat> formats)
    {
        var stored = body.Frame is null ? new(BodyFormat.Dicom, BodyFormat.Any) : BodyFormat.AsStored;
        if (formats.Count == 1 && formats[0] != stored) yield return new(new(backend, body.RelativePath, formats[0].Canonical), formats[0]);
        foreach (var format in formats)
            yield return new(new(backend, body.RelativePath, stored), format == BodyFormat.AsStored ? null : format);
        foreach (var format in formats)
        {
            if (formats.Count > 1 && format != stored) yield return new(new(backend, body.RelativePath, format.Canonical), format);
        }
        if (body.Frame is null) yield break;
        foreach (var whole in FrameCutter.GetContainers(backend, body.Path, formats)) yield return whole;
    }
}

/// <summary>The forms that one request to a backend asks for.</summary>
/// <param name="Formats">At least one.</param>
/// <param name="Accept">The header that says so.</param>
public sealed record AskedForms(ImmutableArray<BodyFormat> Formats, string Accept)
{
    /// <summary>The one form that is asked for; null when there are several.</summary>
    public BodyFormat? Only => Formats.Length == 1 ? Formats[0] : null;

    public static AskedForms One(BodyFormat format) => new([format], format.ToAccept());

    /// <summary>True when a body is in a form that was asked for.</summary>
    public bool AreMetBy(string mediaType, string? transferSyntax) =>
        Formats.Any(f => f.TransferSyntax == BodyFormat.Any && f.MediaType == mediaType || f.IsMetBy(mediaType, transferSyntax));

    /// <summary>The form under which an answer is kept.</summary>
    /// <remarks>What was asked for by a named transfer syntax may be transcoded; what only "any" is met by is the stored form.</remarks>
    public BodyFormat GetKey(EntryHead head)
    {
        var isStored = Formats.All(f => f.TransferSyntax == BodyFormat.Any || !f.IsMetBy(head.MediaType, head.TransferSyntax));
        if (isStored
            && Formats.FirstOrDefault(f => f.TransferSyntax == BodyFormat.Any
                && f.MediaType is (MediaType.OctetStream or BodyFormat.Dicom)) is { } any)
            return any;
        return head.TransferSyntax is { } syntax ? new BodyFormat(head.MediaType, syntax).Canonical : Formats[0].Canonical;
    }
}
