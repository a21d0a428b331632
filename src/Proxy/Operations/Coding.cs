using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Proxy.Operations;

/// <summary>How an answer's bytes are packed (RFC 9110 §8.4.1).</summary>
public enum Coding
{
    /// <summary>Not at all.</summary>
    Identity,

    Gzip,

    Brotli,
}

/// <summary>Chooses the coding of an answer by what the client says (RFC 9110 §12.5.3).</summary>
public static class Codings
{
    /// <summary>As <c>Content-Encoding</c> names it; empty for none.</summary>
    public static string GetName(Coding coding) => coding switch
    {
        Coding.Gzip => "gzip",
        Coding.Brotli => "br",
        _ => "",
    };

    /// <summary>
    /// The heaviest one that the client names, of equal ones the smallest answer. It is never refused: what it takes in no way comes
    /// unpacked.
    /// </summary>
    public static Coding ChooseCoding(this HttpRequest request) => Choose(request.Headers.AcceptEncoding);

    public static Coding Choose(StringValues accepted)
    {
        // What is not named has no weight yet.
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
        var (best, heaviest) = (Coding.Identity, identity ?? 0);
        if ((gzip ?? other ?? 0) is > 0 and var g && g >= heaviest) (best, heaviest) = (Coding.Gzip, g);
        if ((brotli ?? other ?? 0) is > 0 and var b && b >= heaviest) best = Coding.Brotli;
        return best;
    }

    /// <summary>One that cannot be read weighs nothing: unpacked is never wrong.</summary>
    private static double GetWeight(ReadOnlySpan<char> parameter)
    {
        if (parameter is not ['q' or 'Q', ..]) return 0;
        var value = parameter[1..].TrimStart();
        return value is ['=', ..]
            && double.TryParse(value[1..].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight)
                && weight is >= 0 and <= 1 ? weight : 0;
    }
}
