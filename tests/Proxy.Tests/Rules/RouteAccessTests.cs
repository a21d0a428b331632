using System.Reflection;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Backends;
using Proxy.Tests.Walks;
using Xunit;
using Yarp.ReverseProxy.Model;

namespace Proxy.Tests.Rules;

/// <summary>Every route decides what its request may see, so that a new route cannot forget it.</summary>
public sealed class RouteAccessTests
{
    /// <summary>The exporter of OpenTelemetry writes the answer itself; it shows totals of the process, no study and no patient.</summary>
    private static readonly string[] WithoutAccess = ["/metrics"];

    [Fact]
    public async Task EveryRouteHasTheAccessFilter()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"));
        await proxy.GetAsync("/health/live");
        var routes = proxy.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            // YARP forwards to the one backend that its route names, before any endpoint filter could run.
            .Where(route => route.Metadata.GetMetadata<RouteModel>() is null).ToList();
        Assert.True(routes.Count > 20, $"{routes.Count} routes");
        Assert.Equal(WithoutAccess, routes.Where(route => !HasFilter(route)).Select(route => route.RoutePattern.RawText));
    }

    /// <summary>Filters run only for delegates whose parameters the framework binds; it adds their method to the metadata.</summary>
    private static bool HasFilter(RouteEndpoint route) =>
        route.Metadata.Contains(AccessFilter.Marker) && route.Metadata.GetMetadata<MethodInfo>() is not null;
}
