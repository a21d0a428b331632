using Microsoft.AspNetCore.Http.Features;
using Proxy.Backends.Credentials;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends.PassThrough;

/// <summary>Writes the answer to every request that ended without a body: as a rule an error document.</summary>
internal static class StatusProblems
{
    /// <summary>Adds the answers to requests without a body.</summary>
    /// <param name="app">The pipeline.</param>
    /// <param name="findAnswer">An answer in place of the error document; null for the document.</param>
    public static void UseStatusProblems(this IApplicationBuilder app, Func<HttpContext, IResult?> findAnswer) =>
        app.UseStatusCodePages(context => IsForwardedAnswer(context.HttpContext)
            ? Task.CompletedTask
            : (findAnswer(context.HttpContext) ?? GetProblem(context.HttpContext)).ExecuteAsync(context.HttpContext));

    /// <summary>Whether a PACS gave the answer to a forwarded request: its status and body pass unchanged.</summary>
    private static bool IsForwardedAnswer(HttpContext context) =>
        context.Features.Get<IReverseProxyFeature>() is not null && context.Features.Get<IForwarderErrorFeature>() is null;

    private static IResult GetProblem(HttpContext context) => context.Response.StatusCode switch
    {
        405 => NotAllowed(context),
        400 => Problems.BadParameter("request", "malformed"),
        502 when context.Features.Get<IForwarderErrorFeature>()?.Exception is NoCredentialException missing =>
            Problems.BadGateway($"The request was not forwarded: {missing.Message}."),
        502 => Problems.BadGateway("The request was forwarded, but the PACS did not answer."),
        503 => Problems.Unavailable("The request could not be forwarded: no destination of the PACS is healthy."),
        504 => Problems.TimedOut("The request was forwarded, but the PACS did not answer in time."),
        413 => Problems.RequestRefused(413, ""),
        not 404 and var status => Problems.FromStatus(status),
        _ => Problems.NotFound(
            context.Features.Get<IEndpointFeature>()?.Endpoint is null ? "No resource exists at this address." : "Not found."),
    };

    /// <summary>Routing has set <c>Allow</c> to the methods of the endpoints (RFC 9110 §15.5.6).</summary>
    private static IResult NotAllowed(HttpContext context)
    {
        var headers = context.Response.Headers;
        if (AccessFilter.TryReadRoot(context.Request.Path, out _)) headers.Allow = AccessFilter.AddOptions(headers.Allow);
        return Problems.MethodNotAllowed();
    }
}
