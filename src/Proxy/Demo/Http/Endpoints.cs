namespace Proxy.Demo.Http;

/// <summary>The URL table of a demo PACS (PS3.18 10.1.1).</summary>
internal static class Endpoints
{
    private const string Study = "/studies/{study}";
    private const string Series = Study + "/series/{series}";
    private const string Instance = Series + "/instances/{instance}";

    /// <summary>Maps search, retrieve and store below a root.</summary>
    public static void Map(IEndpointRouteBuilder root, DemoSearch search, DemoRetrieve retrieve, DemoStore store)
    {
        root.MapPost("/studies", (HttpRequest request) => store.StoreAsync(request, study: null));
        root.MapPost(Study, (HttpRequest request, string study) => store.StoreAsync(request, study));

        root.MapGet("/studies", (HttpRequest request) => search.Studies(request.Query));
        root.MapGet("/series", (HttpRequest request) => search.Series(request.Query));
        root.MapGet("/instances", (HttpRequest request) => search.Instances(request.Query));
        root.MapGet(Study + "/series", (HttpRequest request, string study) => search.Series(request.Query, study));
        root.MapGet(Study + "/instances", (HttpRequest request, string study) => search.Instances(request.Query, study));
        root.MapGet(Series + "/instances", (HttpRequest request, string study, string series) =>
            search.Instances(request.Query, study, series));

        root.MapGet(Study + "/metadata", (string study) => retrieve.Metadata(study));
        root.MapGet(Series + "/metadata", (string study, string series) => retrieve.Metadata(study, series));
        root.MapGet(Instance + "/metadata", (string study, string series, string instance) => retrieve.Metadata(study, series, instance));

        root.MapGet(Instance, (string study, string series, string instance) => retrieve.Instance(study, series, instance));
        root.MapGet(Instance + "/frames/{list}", (HttpRequest request, string study, string series, string instance, string list) =>
            retrieve.Frames(study, series, instance, list, request.Headers.Accept));
        root.MapGet(Instance + "/bulkdata/{tag}", (HttpRequest request, string study, string series, string instance, string tag) =>
            retrieve.BulkData(study, series, instance, tag, request.Headers.Accept));
    }
}
