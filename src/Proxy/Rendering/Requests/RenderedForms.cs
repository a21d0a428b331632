using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Rendering.Requests;

/// <summary>The rendered media types that a client accepts, best first (PS3.18 §8.7.4, §8.7.8.1).</summary>
/// <remarks>
/// <code>
/// image/jpeg, image/png, image/gif, image/*      one picture
/// video/mp4, video/mpeg, video/*                 a stored video
/// application/pdf, application/*                 an encapsulated document
/// text/plain                                     a report that the PACS renders
/// multipart/related; type="…"                    each item as a part, also if there is one only
/// */*                                            the default of the resource
/// </code>
/// Other types, DICOM types among them, are never rendered and are ignored. A type that the client names overrides a wildcard
/// (RFC 9110 §12.5.1).
/// </remarks>
internal sealed class RenderedForms
{
    /// <summary>The limit of alternatives; further ones are ignored.</summary>
    private const int MaxAlternatives = 16;

    private static readonly string[] Rendered =
        ["image/jpeg", "image/png", "image/gif", "video/mp4", "video/mpeg", "application/pdf", "text/plain"];

    private readonly ImmutableArray<Range> _ranges;
    private readonly ImmutableArray<MediaType> _refused;

    private RenderedForms(ImmutableArray<Range> ranges, ImmutableArray<MediaType> refused) => (_ranges, _refused) = (ranges, refused);

    /// <summary>How items of an accepted type may be sent.</summary>
    private enum Wrapping
    {
        /// <summary>One item, alone.</summary>
        Single,

        /// <summary>Items as parts.</summary>
        Multipart,

        /// <summary>One item alone, several as parts.</summary>
        Any,
    }

    /// <summary>An accepted range of media types.</summary>
    /// <param name="Type">The type of an item, in lower case; it may have wildcards.</param>
    /// <param name="Wrapping">How its items may be sent.</param>
    private readonly record struct Range(string Type, Wrapping Wrapping)
    {
        public bool CanBeSingle => Wrapping != Wrapping.Multipart;

        public bool CanBeMultipart => Wrapping != Wrapping.Single;

        public bool IsWildcard => Type.EndsWith("/*", StringComparison.Ordinal);

        public bool Has(string type) =>
            Type == "*/*" || Type == type || IsWildcard && type.StartsWith(Type[..^1], StringComparison.Ordinal);
    }

    /// <summary>The form of an answer.</summary>
    /// <param name="MediaType">The media type of the items.</param>
    /// <param name="IsMultipart">True when the items are parts of a multipart answer.</param>
    public readonly record struct Chosen(string MediaType, bool IsMultipart);

    /// <summary>True when the client accepts nothing that is rendered.</summary>
    public bool IsEmpty => _ranges.IsEmpty;

    /// <summary>Reads the accepted types; a request without any accepts the default of the resource.</summary>
    public static RenderedForms Read(Accept accept)
    {
        if (accept.IsAbsent) return new([new("*/*", Wrapping.Any)], []);
        var ranges = accept.Types.Select(t => Read(t.Type)).OfType<Range>().Distinct().Take(MaxAlternatives);
        return new([.. ranges], accept.Refused);
    }

    /// <summary>The best form of one item; null when none is accepted.</summary>
    /// <param name="offered">The media types of the item, the default first.</param>
    public Chosen? ChooseOne(params ReadOnlySpan<string> offered)
    {
        foreach (var range in _ranges)
        {
            if (Find(range, offered) is { } type) return new(type, !range.CanBeSingle);
        }
        return null;
    }

    /// <summary>The best form of several items; null when the client accepts no multipart answer with one of the types.</summary>
    /// <inheritdoc cref="ChooseOne"/>
    public Chosen? ChooseMany(params ReadOnlySpan<string> offered)
    {
        foreach (var range in _ranges)
        {
            if (range.CanBeMultipart && Find(range, offered) is { } type) return new(type, true);
        }
        return null;
    }

    private string? Find(Range range, ReadOnlySpan<string> offered)
    {
        foreach (var type in offered)
        {
            if (range.Has(type) && !IsNamedElsewhere(range, type) && !IsRefused(type)) return type;
        }
        return null;
    }

    /// <summary>True when a wildcard has a type to which the client gives a place of its own.</summary>
    private bool IsNamedElsewhere(Range range, string type) =>
        range.IsWildcard && _ranges.Any(other => !other.IsWildcard && other.Type == type && (other.CanBeSingle || !range.CanBeSingle));

    private bool IsRefused(string type) => _refused.Any(refused => (Read(refused) ?? default).Type == type);

    private static Range? Read(MediaType accepted)
    {
        if (!accepted.IsMultipart)
        {
            var type = accepted.Type.ToLowerInvariant();
            return IsRendered(type) ? new(type, type == "*/*" ? Wrapping.Any : Wrapping.Single) : null;
        }
        if (!accepted.Is(MediaType.MultipartRelated) && !accepted.Is("multipart/*")) return null;
        var inner = accepted.Find("type")?.Split(';')[0].Trim().ToLowerInvariant() ?? "*/*";
        return IsRendered(inner) ? new(inner, Wrapping.Multipart) : null;
    }

    private static bool IsRendered(string type) =>
        type is "*/*" or "image/*" or "video/*" or "application/*" or "text/*" || Rendered.Contains(type);
}
