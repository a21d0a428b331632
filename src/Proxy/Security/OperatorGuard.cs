using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>
/// Answers the addresses of operators only on their own listener (<c>Security:OperatorPort</c>): elsewhere they do not exist. It runs after
/// routing.
/// </summary>
/// <remarks>The listener of operators serves the other addresses too, so that the page works there.</remarks>
internal sealed class OperatorGuard(RequestDelegate next, int port)
{
    /// <summary>Checks a request and passes it on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        var isForOperators = context.GetEndpoint()?.Metadata.GetMetadata<RequiredRole>()?.Role == Roles.Operator;
        return isForOperators && context.Connection.LocalPort != port
            ? Problems.NotFound("No resource exists at this address.").ExecuteAsync(context)
            : next(context);
    }
}
