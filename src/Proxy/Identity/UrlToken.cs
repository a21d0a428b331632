using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>
/// A token in the query of a request (RFC 6750 §2.3, §5.3): refused, or taken out of it before anything else reads the query.
/// </summary>
internal static class UrlToken
{
    private static readonly string[] Names = ["access_token", "token"];

    /// <summary>Moves the token of a request from its query to its header.</summary>
    /// <param name="request">The request; its query has no token afterwards.</param>
    /// <param name="isAllowed">Whether tokens may be there.</param>
    /// <returns>The problem when the query has a token that is not allowed; null otherwise.</returns>
    public static IResult? Move(HttpRequest request, bool isAllowed)
    {
        IResult? problem = null;
        var query = request.QueryString.Value;
        if (string.IsNullOrEmpty(query)) return null;
        // A name may be escaped.
        if (!query.Contains("token", StringComparison.OrdinalIgnoreCase) && !query.Contains('%', StringComparison.Ordinal)) return null;
        string? token = null;
        var rest = new List<string>();
        foreach (var part in new QueryStringEnumerable(query))
        {
            var name = Names.FirstOrDefault(n => part.DecodeName().Span.Equals(n, StringComparison.OrdinalIgnoreCase));
            if (name is null)
            {
                rest.Add($"{part.EncodedName}={part.EncodedValue}");
                continue;
            }
            if (!isAllowed)
                problem = Problems.BadParameter(
                    name, "no tokens in URLs, which are logged and stored; send it in the header Authorization. An operator can allow it "
                    + "with Security:Jwt:AllowInUrl.");
            else if (token is not null) problem = Problems.BadParameter(name, "one token only");
            token = part.DecodeValue().ToString();
        }
        if (token is null) return null;
        request.QueryString = rest.Count == 0 ? QueryString.Empty : new("?" + string.Join('&', rest));
        // The line of the request, as it was sent.
        if (request.HttpContext.FindFeature<IHttpRequestFeature>() is { } line)
            line.RawTarget = line.RawTarget.Split('?', 2)[0] + request.QueryString;
        if (request.Headers.Authorization.Count > 0) problem ??= Problems.BadParameter("token", "in the header or in the URL, not in both");
        request.Headers.Authorization = "Bearer " + token;
        return problem;
    }
}
