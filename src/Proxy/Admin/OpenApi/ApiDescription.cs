using System.Globalization;
using System.IO.Hashing;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Admin.OpenApi;

/// <summary>The OpenAPI document of the proxy's own endpoints, made at the first request from the mapped routes.</summary>
/// <remarks>
/// It is the same for every client and for every configuration: it names no backend, and its server is the folder of the document itself,
/// which is right behind any reverse proxy.
/// </remarks>
internal sealed partial class ApiDescription([FromKeyedServices(ApiDescription.Name)] IOpenApiDocumentProvider provider)
{
    /// <summary>The media type of the document.</summary>
    public const string ContentType = "application/json";

    private const string Name = "proxy";

    /// <summary>The last part of the paths of the DICOMweb roots, which are not in the document.</summary>
    private const string Root = "/dicomweb";

    private (byte[] Text, EntityTagHeaderValue Tag)? _ready;

    /// <summary>The document in JSON, and its entity tag.</summary>
    public async Task<(byte[] Text, EntityTagHeaderValue Tag)> ReadAsync(CancellationToken cancellation)
    {
        if (_ready is { } ready) return ready;
        var document = await provider.GetOpenApiDocumentAsync(cancellation);
        using var text = new MemoryStream();
        await document.SerializeAsJsonAsync(text, OpenApiSpecVersion.OpenApi3_1, cancellation);
        var bytes = text.ToArray();
        var hash = XxHash128.HashToUInt128(bytes).ToString("x", CultureInfo.InvariantCulture);
        var made = (bytes, new EntityTagHeaderValue($"\"{hash}\""));
        _ready = made;
        return made;
    }

    /// <summary>Registers the document.</summary>
    public static void Add(IServiceCollection services)
    {
        services.AddOpenApi(Name, options =>
        {
            options.ShouldInclude = IsOwn;
            options.AddOperationTransformer(AddPathParametersAsync);
            options.AddDocumentTransformer(CompleteAsync);
        });
        services.AddSingleton<ApiDescription>();
    }

    private static bool IsOwn(Microsoft.AspNetCore.Mvc.ApiExplorer.ApiDescription endpoint) =>
        !$"/{endpoint.RelativePath}/".Contains(Root + "/", StringComparison.Ordinal);

    /// <summary>The handlers read UIDs from the route themselves, so the framework does not know these parameters.</summary>
    private static Task AddPathParametersAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellation)
    {
        operation.Parameters ??= [];
        foreach (Match match in PathParameter().Matches(context.Description.RelativePath ?? ""))
        {
            var name = match.Groups[1].Value;
            if (operation.Parameters.Any(p => p.In == ParameterLocation.Path && p.Name == name)) continue;
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = name,
                In = ParameterLocation.Path,
                Required = true,
                Description = name == AccessFilter.BackendName ? "The name of a backend" : $"A UID of the {name} (PS3.5 §9.1)",
                Schema = name == AccessFilter.BackendName ? OpenApiParts.Text() : OpenApiParts.Uid(),
            });
        }
        return Task.CompletedTask;
    }

    /// <summary>Adds what the framework does not know: the subject, and the metrics, whose exporter answers without a handler.</summary>
    private static Task CompleteAsync(
        OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellation)
    {
        document.Info = new()
        {
            Title = "DICOMweb proxy",
            Version = typeof(ApiDescription).Assembly.GetName().Version?.ToString(3) ?? "0",
            Description = "The proxy's own endpoints. Those of DICOMweb describe themselves: OPTIONS /dicomweb (PS3.18 §8.9).",
        };
        document.Servers = [new OpenApiServer { Url = "." }];
        // By default, each endpoint has the name of its class as a tag.
        document.Tags = null;
        foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations?.Values.AsEnumerable() ?? []))
            operation.Tags = null;
        document.Paths["/metrics"] = new OpenApiPathItem
        {
            Operations = new()
            {
                [HttpMethod.Get] = new()
                {
                    Summary = "All counters in the text format of Prometheus",
                    Responses = new() { ["200"] = OpenApiParts.Text("text/plain", "The metrics") },
                },
            },
        };
        return Task.CompletedTask;
    }

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex PathParameter();
}
