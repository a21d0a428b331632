using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Backends;

namespace Proxy.Admin.Testing;

/// <summary><c>POST /backends/{name}/test</c>: tests a backend with small requests.</summary>
internal static class TestEndpoints
{
    /// <summary>Maps the test.</summary>
    public static void MapBackendTests(this IEndpointRouteBuilder app) =>
        app.MapPost($"/backends/{{{AccessFilter.BackendName}}}/test", TestAsync)
            .WithSummary("Tests a backend: reachable, searches, metadata, frames, with a remedy for each failure")
            .Produces<TestReport>().ProducesProblem(404);

    private static async Task<JsonHttpResult<TestReport>> TestAsync(HttpContext context, BackendTests tests)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(await tests.RunAsync(context.GetAccess().Backends[0], context.RequestAborted));
    }
}
