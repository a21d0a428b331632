using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Proxy.Operations;

/// <summary>Parts of the OpenAPI document for what handlers read and write themselves.</summary>
internal static class OpenApiParts
{
    /// <summary>The schema of a UID (PS3.5 §9.1).</summary>
    public static OpenApiSchema Uid() => new() { Type = JsonSchemaType.String, Pattern = "^[0-9]+(\\.[0-9]+)*$", MaxLength = 64 };

    /// <summary>The schema of a text, or of one of some texts.</summary>
    public static OpenApiSchema Text(params string[] values) => new()
    {
        Type = JsonSchemaType.String,
        Enum = values.Length > 0 ? [.. values.Select(value => (JsonNode)JsonValue.Create(value))] : null,
    };

    /// <summary>A query parameter.</summary>
    public static OpenApiParameter Query(string name, string description, OpenApiSchema schema) => new()
    {
        Name = name,
        In = ParameterLocation.Query,
        Description = description,
        Schema = schema,
    };

    /// <summary>An answer that is a text.</summary>
    public static OpenApiResponse Text(string mediaType, string description) => new()
    {
        Description = description,
        Content = new Dictionary<string, OpenApiMediaType> { [mediaType] = new() { Schema = Text() } },
    };

    /// <summary>Changes the description of an endpoint.</summary>
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder endpoint, Action<OpenApiOperation> change) =>
        endpoint.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            change(operation);
            return Task.CompletedTask;
        });
}
