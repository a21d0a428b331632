namespace Proxy.Demo.Http;

/// <summary>The URL table of a demo PACS (PS3.18 10.1.1).</summary>
internal static class Endpoints
{
    private const string Study = "/studies/{study}";
    private const string Series = Study + "/series/{series}";
    private const string Instance = Series + "/instances/{instance}";

    public static void Map(IEndpointRouteBuilder at, DemoSearch search, DemoRetrieve retrieve)
    {
        at.MapGet("/studies", (HttpRequest ask) => search.Studies(ask.Query));
        at.MapGet("/series", (HttpRequest ask) => search.Series(ask.Query));
        at.MapGet("/instances", (HttpRequest ask) => search.Instances(ask.Query));
        at.MapGet(Study + "/series", (HttpRequest ask, string study) => search.Series(ask.Query, study));
        at.MapGet(Study + "/instances", (HttpRequest ask, string study) => search.Instances(ask.Query, study));
        at.MapGet(Series + "/instances", (HttpRequest ask, string study, string series) => search.Instances(ask.Query, study, series));

        at.MapGet(Study + "/metadata", (string study) => retrieve.Metadata(study));
        at.MapGet(Series + "/metadata", (string study, string series) => retrieve.Metadata(study, series));
        at.MapGet(Instance + "/metadata", (string study, string series, string instance) => retrieve.Metadata(study, series, instance));

        at.MapGet(Instance + "/frames/{list}", (HttpRequest ask, string study, string series, string instance, string list) =>
            retrieve.Frames(study, series, instance, list, ask.Headers.Accept));
        at.MapGet(Instance + "/bulkdata/{tag}", (HttpRequest ask, string study, string series, string instance, string tag) =>
            retrieve.BulkData(study, series, instance, tag, ask.Headers.Accept));
    }
}
