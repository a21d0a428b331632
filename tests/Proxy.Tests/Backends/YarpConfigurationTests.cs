using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.PassThrough;
using Xunit;

namespace Proxy.Tests.Backends;

public class YarpConfigurationTests
{
    [Fact]
    public void MapsABackendToACluster()
    {
        var yarp = Map(out _, "Backends:east:Address=http://pacs:8042/dicom-web", "Backends:east:MaxConcurrentRequests=4");
        Assert.Equal("http://pacs:8042/dicom-web", yarp["Clusters:east:Destinations:address:Address"]);
        Assert.Equal("4", yarp["Clusters:east:Metadata:MaxConcurrentRequests"]);
        Assert.Empty(yarp.GetSection("Routes").GetChildren());
    }

    [Fact]
    public void PassesYarpSettingsOn_AndNothingElse()
    {
        var yarp = Map(
            out _, "Backends:east:Destinations:a:Address=http://a", "Backends:east:Destinations:b:Address=http://b",
            "Backends:east:LoadBalancingPolicy=RoundRobin",
            "Backends:east:HealthCheck:Active:Path=/health", "Backends:east:HttpClient:DangerousAcceptAnyServerCertificate=true",
            "Backends:east:HttpRequest:Version=1.1",
            "Backends:east:Authentication:Password=s3cret", "Other=x");
        Assert.Equal("http://b", yarp["Clusters:east:Destinations:b:Address"]);
        Assert.Equal("RoundRobin", yarp["Clusters:east:LoadBalancingPolicy"]);
        Assert.Equal("/health", yarp["Clusters:east:HealthCheck:Active:Path"]);
        Assert.Equal("true", yarp["Clusters:east:HttpClient:DangerousAcceptAnyServerCertificate"]);
        Assert.Equal("1.1", yarp["Clusters:east:HttpRequest:Version"]);
        Assert.DoesNotContain(yarp.AsEnumerable(), s => s.Value is "s3cret" or "x");
    }

    [Fact]
    public void AddsARoutePerForwardableRequest_AfterTheProxysOwnRoutes()
    {
        var yarp = Map(
            out _, "Backends:east:Address=http://pacs", "Backends:east:Forward=true", "Backends:east:MaxForwardedBytes=1000",
            "Backends:west:Address=http://pacs", "Backends:west:Forward=false");
        var routes = yarp.GetSection("Routes").GetChildren().ToList();
        Assert.Equal(ForwardableRequests.All.Count, routes.Count);
        var search = Assert.Single(routes, r => r["Match:Path"] == "/backends/east/dicomweb/workitems");
        Assert.Equal(["GET", "HEAD", "POST"], search.GetSection("Match:Methods").GetChildren().Select(m => m.Value).Order());
        foreach (var route in routes)
        {
            Assert.Equal("east", route["ClusterId"]);
            Assert.Equal("1000", route["MaxRequestBodySize"]);
            Assert.StartsWith("/backends/east/dicomweb/", route["Match:Path"]);
            Assert.DoesNotContain("**", route["Match:Path"]);
            Assert.NotEmpty(route.GetSection("Match:Methods").GetChildren());
            Assert.True(int.Parse(route["Order"]!, System.Globalization.CultureInfo.InvariantCulture) > 0);
            var transforms = route.GetSection("Transforms").GetChildren().ToList();
            Assert.Contains(transforms, t => t["PathRemovePrefix"] == "/backends/east/dicomweb");
            Assert.Contains(transforms, t => t["X-Forwarded"] == "Off");
            // The PACS must not see the client's credentials.
            var allowed = Assert.Single(transforms, t => t["RequestHeadersAllowed"] is not null)["RequestHeadersAllowed"]!.Split(';');
            Assert.DoesNotContain(allowed, h => h is "Cookie" or "Authorization" or "Host" or "Forwarded");
        }
    }

    [Fact]
    public void FollowsChangedSettings()
    {
        var yarp = Map(out var settings, "Backends:east:Address=http://old", "Backends:west:Address=http://west");
        var changes = 0;
        using var _ = ChangeToken.OnChange(yarp.GetReloadToken, () => changes++);

        settings["Backends:east:Address"] = "http://new";
        settings["Backends:north:Address"] = "http://north";
        settings["Backends:west:Address"] = null;
        settings.Reload();
        Assert.Single(yarp.Providers.OfType<YarpConfiguration>()).Reload();

        Assert.Equal(1, changes);
        Assert.Equal("http://new", yarp["Clusters:east:Destinations:address:Address"]);
        Assert.Equal("http://north", yarp["Clusters:north:Destinations:address:Address"]);
        Assert.Null(yarp["Clusters:west:Destinations:address:Address"]);
    }

    private static IConfigurationRoot Map(out IConfigurationRoot settings, params string[] lines)
    {
        settings = new ConfigurationBuilder()
            .AddInMemoryCollection(lines.Select(s => s.Split('=', 2)).ToDictionary(s => s[0], string? (s) => s[1])).Build();
        return new ConfigurationBuilder().Add(new YarpConfiguration(settings)).Build();
    }
}
