using System.Collections.Immutable;
using System.Globalization;

namespace Proxy.Dicom;

/// <summary>The media types that a client accepts, best first, and those that it refuses (RFC 9110 §12.5.1, PS3.18 §8.7.8.1).</summary>
public sealed class Accept
{
    private Accept(ImmutableArray<AcceptedType> types, ImmutableArray<MediaType> refused)
    {
        (Types, Refused) = (types, refused);
        var isRefused = refused.Any(t => t.Is(MediaType.DicomJson));
        var json = IsAbsent ? 0 : FindRank(t => t.Type is MediaType.DicomJson
            || !isRefused && t.Type is ("application/json" or "application/*" or "*/*"));
        var isXmlRefused = refused.Any(t => IsDicomXml(t, byDefault: false));
        AcceptsDicomJson = json is not null;
        PrefersDicomXml = FindRank(t => IsDicomXml(t, !isXmlRefused)) is { } xml && (json is null || xml < json);
    }

    /// <summary>
    /// The accepted types, best first: the <c>accept</c> query parameter before the header, then by weight, then in the order given.
    /// </summary>
    public ImmutableArray<AcceptedType> Types { get; }

    /// <summary>Media types of weight 0.</summary>
    public ImmutableArray<MediaType> Refused { get; }

    /// <summary>True when the request names no media type at all; the default of the resource then applies.</summary>
    public bool IsAbsent => Types.IsEmpty && Refused.IsEmpty;

    /// <summary>Reads an <c>Accept</c> header. Elements that are not media types are ignored (PS3.18 §8.7.7).</summary>
    /// <param name="header">The header as one list, or null.</param>
    public static Accept Parse(string? header) => Parse(null, header);

    /// <summary>Reads the <c>accept</c> query parameter (PS3.18 §8.3.3.1) and the header.</summary>
    /// <param name="query">The values of the query parameter as one list, or null.</param>
    /// <param name="header">The header as one list, or null.</param>
    public static Accept Parse(string? query, string? header)
    {
        var types = ImmutableArray.CreateBuilder<AcceptedType>();
        var refused = ImmutableArray.CreateBuilder<MediaType>();
        // An unescaped plus sign in a query is a space, and no media type has a space in it.
        if (!string.IsNullOrEmpty(query)) Add(MediaType.ParseList(query).Select(WithPlus));
        Add(MediaType.ParseList(header));
        return new(types.ToImmutable(), refused.ToImmutable());

        void Add(IEnumerable<MediaType> list)
        {
            var rank = types.Count > 0 ? types[^1].Rank + 1 : 0;
            double? last = null;
            foreach (var (type, weight) in list.Select(t => (Type: t, Weight: GetWeight(t))).OrderByDescending(t => t.Weight))
            {
                if (weight == 0)
                {
                    refused.Add(type);
                    continue;
                }
                if (last is { } heavier && weight < heavier) rank++;
                last = weight;
                types.Add(new(type, rank));
            }
        }
    }

    private static MediaType WithPlus(MediaType type) => type with
    {
        Type = type.Type.Replace(' ', '+'),
        Parameters = [.. type.Parameters.Select(p => KeyValuePair.Create(p.Key, p.Key == "type" ? p.Value.Replace(' ', '+') : p.Value))],
    };

    /// <summary>
    /// True when the client accepts DICOM JSON: by its own name, by <c>application/json</c>, by a wildcard, or by naming no type.
    /// </summary>
    /// <remarks>
    /// Viewers up to OHIF 3.11 add their frame types to metadata requests, so DICOM JSON is sent whenever it is accepted.
    /// A weight of 0 for DICOM JSON overrides a wildcard (RFC 9110 §12.5.1: the most specific range decides).
    /// </remarks>
    public bool AcceptsDicomJson { get; }

    /// <summary>The same preferences for some of the types only. If none is left, the result is absent.</summary>
    /// <param name="convert">The type to accept in place of an accepted or refused type; null to leave it out.</param>
    public Accept Select(Func<MediaType, MediaType?> convert) => new(
        [.. from accepted in Types
            let type = convert(accepted.Type)
            where type is not null
            select accepted with { Type = type }],
        [.. Refused.Select(convert).OfType<MediaType>()]);

    /// <summary>True when the client accepts DICOM XML and does not accept DICOM JSON as gladly.</summary>
    public bool PrefersDicomXml { get; }

    /// <summary>Whether a type holds DICOM XML: also without the multipart around it, as some clients write.</summary>
    /// <param name="type">The media type.</param>
    /// <param name="byDefault">The answer for a multipart type that does not name the type of its parts.</param>
    private static bool IsDicomXml(MediaType type, bool byDefault) => type.Type switch
    {
        MediaType.DicomXml => true,
        MediaType.MultipartRelated or "multipart/*" =>
            type.Find("type") is { } inner ? inner.Equals(MediaType.DicomXml, StringComparison.OrdinalIgnoreCase) : byDefault,
        _ => false,
    };

    private int? FindRank(Func<MediaType, bool> isWanted)
    {
        foreach (var (type, rank) in Types)
        {
            if (isWanted(type)) return rank;
        }
        return null;
    }

    private static double GetWeight(MediaType type) =>
        type.Find("q") is { } text && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var q)
            ? Math.Min(q, 1)
            : 1;
}

/// <summary>One media type that a client accepts.</summary>
/// <param name="Type">The media type with its parameters.</param>
/// <param name="Rank">0 for the best; types of equal rank are equally acceptable.</param>
public readonly record struct AcceptedType(MediaType Type, int Rank);
