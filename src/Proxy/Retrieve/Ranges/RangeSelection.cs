using System.Collections.Immutable;
using System.Globalization;

namespace Proxy.Retrieve.Ranges;

/// <summary>The parts of a body that a <c>Range</c> header selects (RFC 9110 §14.2).</summary>
/// <remarks>
/// <code>
/// bytes=0-499        the first 500 bytes          bytes=-500         the last 500
/// bytes=500-         from an offset to the end    bytes=0-9,20-29    several
/// </code>
/// Ranges that overlap, touch, or are closer than a part's headers are long are joined (RFC 9110 §15.3.7.2), so the answer is never
/// larger than the body and <see cref="MaxRanges"/> part headers. Several ranges are sent in ascending order, because a body in flight
/// is read in that order.
/// </remarks>
/// <param name="Ranges">Disjoint and ascending, within the body; empty when no range overlaps the body (416).</param>
public sealed record RangeSelection(ImmutableArray<BodyRange> Ranges)
{
    /// <summary>The most ranges of one request; a header with more is ignored (RFC 9110 §17.15).</summary>
    public const int MaxRanges = 32;

    /// <summary>Ranges with a smaller gap between them are joined: a part's headers are about this long.</summary>
    public const long MaxGap = 128;

    private const string Unit = "bytes=";

    /// <summary>Selects the parts of a body.</summary>
    /// <param name="header">The value of the <c>Range</c> header.</param>
    /// <param name="length">The length of the body in bytes.</param>
    /// <returns>
    /// Null when the header is to be ignored (RFC 9110 §14.2): another unit, malformed, or too many ranges. The whole body is then sent.
    /// </returns>
    public static RangeSelection? Read(ReadOnlySpan<char> header, long length)
    {
        if (!header.StartsWith(Unit, StringComparison.OrdinalIgnoreCase)) return null;
        var list = header[Unit.Length..];
        var (count, ranges) = (0, new List<BodyRange>());
        foreach (var element in list.Split(','))
        {
            var text = list[element].Trim(" \t");
            // Empty elements are allowed (RFC 9110 §5.6.1.2).
            if (text.IsEmpty) continue;
            if (++count > MaxRanges || !TryRead(text, length, out var range)) return null;
            if (range is { } inside) ranges.Add(inside);
        }
        return count == 0 ? null : new(Join(ranges));
    }

    /// <summary>Reads one range; the range is null when it does not overlap the body.</summary>
    private static bool TryRead(ReadOnlySpan<char> text, long length, out BodyRange? range)
    {
        range = null;
        var dash = text.IndexOf('-');
        if (dash < 0) return false;
        if (dash == 0)
        {
            if (!TryReadPosition(text[1..], out var suffix)) return false;
            if (suffix > 0 && length > 0) range = new(Math.Max(0, length - suffix), length - 1);
            return true;
        }
        if (!TryReadPosition(text[..dash], out var first)) return false;
        var last = long.MaxValue;
        if (dash < text.Length - 1 && !TryReadPosition(text[(dash + 1)..], out last)) return false;
        if (last < first) return false;
        if (first < length) range = new(first, Math.Min(last, length - 1));
        return true;
    }

    /// <summary>Reads digits; a number beyond any body counts as the greatest number.</summary>
    private static bool TryReadPosition(ReadOnlySpan<char> text, out long position)
    {
        position = 0;
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9')) return false;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out position)) position = long.MaxValue;
        return true;
    }

    private static ImmutableArray<BodyRange> Join(List<BodyRange> ranges)
    {
        var joined = new List<BodyRange>(ranges.Count);
        foreach (var range in ranges.OrderBy(r => r.First))
        {
            if (joined.Count > 0 && range.First - joined[^1].Last - 1 < MaxGap)
                joined[^1] = joined[^1] with { Last = Math.Max(joined[^1].Last, range.Last) };
            else joined.Add(range);
        }
        return [.. joined];
    }
}
