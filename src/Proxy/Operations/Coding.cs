using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Proxy.Operations;

/// <summary>The content coding of an answer (RFC 9110 §8.4.1).</summary>
public enum Coding
{
    /// <summary>No coding.</summary>
    Identity,

    /// <summary><c>gzip</c> (RFC 1952).</summary>
    Gzip,

    /// <summary><c>br</c> (RFC 7932).</summary>
    Brotli,
}

/// <summary>Negotiates the coding of an answer by the client's <c>Accept-Encoding</c> (RFC 9110 §12.5.3).</summary>
public static class Codings
{
    /// <summary>The name of a coding in <c>Content-Encoding</c>; empty for <see cref="Coding.Identity"/>.</summary>
    public static string GetName(Coding coding) => coding switch
    {
        Coding.Gzip => "gzip",
        Coding.Brotli => "br",
        _ => "",
    };

    /// <summary>
    /// The coding with the highest weight; among equal weights, the coding with the smallest result. If the client accepts no coding,
    /// the answer is sent without one instead of a refusal.
    /// </summary>
    public static Coding ChooseCoding(this HttpRequest request) => Choose(request.Headers.AcceptEncoding);

    /// <summary>As <see cref="ChooseCoding"/>, from the values of <c>Accept-Encoding</c>.</summary>
    public static Coding Choose(StringValues accepted)
    {
        // Null: the client did not name the coding.
        double? brotli = null, gzip = null, identity = null, other = null;
        foreach (var value in accepted)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                var element = value.AsSpan()[range].Trim();
                var semicolon = element.IndexOf(';');
                var name = semicolon < 0 ? element : element[..semicolon].TrimEnd();
                var weight = semicolon < 0 ? 1 : GetWeight(element[(semicolon + 1)..].Trim());
                if (name.Equals("br", StringComparison.OrdinalIgnoreCase)) brotli = weight;
                else if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase)
                    || name.Equals("x-gzip", StringComparison.OrdinalIgnoreCase)) gzip = weight;
                else if (name.Equals("identity", StringComparison.OrdinalIgnoreCase)) identity = weight;
                else if (name is "*") other = weight;
            }
        }
        var (best, maxWeight) = (Coding.Identity, identity ?? 0);
        if ((gzip ?? other ?? 0) is > 0 and var g && g >= maxWeight) (best, maxWeight) = (Coding.Gzip, g);
        if ((brotli ?? other ?? 0) is > 0 and var b && b >= maxWeight) best = Coding.Brotli;
        return best;
    }

    /// <summary>The weight of a <c>q</c> parameter; 0 if it is invalid, since an answer without coding is always correct.</summary>
    private static double GetWeight(ReadOnlySpan<char> parameter)
    {
        if (parameter is not ['q' or 'Q', ..]) return 0;
        var value = parameter[1..].TrimStart();
        return value is ['=', ..]
            && double.TryParse(value[1..].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight)
            && weight is >= 0 and <= 1 ? weight : 0;
    }
}
