using Proxy.Operations;

namespace Proxy.Admin.OpenApi;

/// <summary><c>/openapi.json</c>: the proxy's own endpoints as an OpenAPI document.</summary>
/// <remarks>The DICOMweb roots describe themselves in the form of PS3.18: <c>OPTIONS {root}</c>.</remarks>
internal static class OpenApiEndpoints
{
    /// <summary>Maps <c>/openapi.json</c>.</summary>
    public static void MapOpenApiDocument(this IEndpointRouteBuilder app) =>
        app.MapRead("/openapi.json", AnswerAsync).WithSummary("This document")
            .Produces<System.Text.Json.Nodes.JsonObject>(contentType: ApiDescription.ContentType);

    private static async Task<IResult> AnswerAsync(HttpContext context, ApiDescription description)
    {
        var (text, tag) = await description.ReadAsync(context.RequestAborted);
        context.Response.Headers.CacheControl = "no-cache";
        return TypedResults.Bytes(text, ApiDescription.ContentType, entityTag: tag);
    }
}
