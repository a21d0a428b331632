using System.Collections.Immutable;
using System.Globalization;

namespace Proxy.Dicom;

/// <summary>What a client accepts, best first: by weight, then in the order it wrote them (PS3.18 §8.7.8.1).</summary>
public static class Accept
{
    /// <summary>The media types of an <c>Accept</c> header that have a weight above zero.</summary>
    public static ImmutableArray<MediaType> Parse(string? header) =>
        [.. MediaType.ParseList(header).Where(t => WeightOf(t) > 0).OrderByDescending(WeightOf)];

    /// <summary>Whether DICOM JSON may be sent: asked for by either of its names, by a wildcard, or by no header at all.</summary>
    /// <remarks>
    /// Viewers up to OHIF 3.11 add their frame types to metadata requests; DICOM JSON is taken whenever it is offered.
    /// </remarks>
    public static bool TakesDicomJson(ImmutableArray<MediaType> accepted) =>
        accepted.IsEmpty || accepted.Any(t => t.Type is MediaType.DicomJson or "application/json" or "application/*" or "*/*");

    private static double WeightOf(MediaType type) =>
        type.Find("q") is { } text && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var q) ? q : 1;
}
