using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>A way that users authenticate.</summary>
internal interface IAuthenticator
{
    /// <summary>Finds out who sends a request. It completes at once for a credential that was verified a moment ago.</summary>
    public ValueTask<Authentication> AuthenticateAsync(HttpContext context);
}

/// <summary>Whether a request authenticates its caller: the caller, or why not.</summary>
/// <param name="Caller">The caller; null if the request has no valid credential.</param>
/// <param name="Refusal">The answer without a caller; null if there is one.</param>
internal readonly record struct Authentication(Caller? Caller, IResult? Refusal)
{
    /// <summary>The request has no valid credential.</summary>
    /// <param name="detail">What is missing, or the rule that is violated, for the user; never a part of the credential.</param>
    /// <param name="challenge">How to authenticate (RFC 9110 §11.6.1).</param>
    public static Authentication Refuse(string detail, string challenge) => new(null, new Challenge(detail, challenge));

    private sealed class Challenge(string detail, string challenge) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.WWWAuthenticate = challenge;
            return Problems.Unauthenticated(detail).ExecuteAsync(httpContext);
        }
    }
}
