using Microsoft.AspNetCore.Http.Features;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends.PassThrough;

/// <summary>Writes an error document for every failed request that has no body yet.</summary>
internal static class StatusProblems
{
    public static void UseStatusProblems(this IApplicationBuilder app) =>
        app.UseStatusCodePages(context => IsForwardedAnswer(context.HttpContext)
            ? Task.CompletedTask
            : GetProblem(context.HttpContext).ExecuteAsync(context.HttpContext));

    /// <summary>Whether a PACS gave the answer to a forwarded request: its status and body pass unchanged.</summary>
    private static bool IsForwardedAnswer(HttpContext context) =>
        context.Features.Get<IReverseProxyFeature>() is not null && context.Features.Get<IForwarderErrorFeature>() is null;

    private static IResult GetProblem(HttpContext context) => context.Response.StatusCode switch
    {
        405 => Problems.MethodNotAllowed(),
        400 => Problems.BadParameter("request", "malformed"),
        502 => Problems.BadGateway("The request was forwarded, but the PACS did not answer."),
        503 => Problems.Unavailable("The request could not be forwarded: no destination of the PACS is healthy."),
        504 => Problems.TimedOut("The request was forwarded, but the PACS did not answer in time."),
        413 => Problems.RequestRefused(413, ""),
        not 404 and var status => Problems.FromStatus(status),
        _ => Problems.NotFound(
            context.Features.Get<IEndpointFeature>()?.Endpoint is null ? "No resource exists at this address." : "Not found."),
    };
}
