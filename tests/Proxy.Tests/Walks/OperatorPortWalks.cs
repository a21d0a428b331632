using System.Net;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>With a listener of their own, the addresses of operators do not exist at the listeners of clients.</summary>
public sealed class OperatorPortWalks
{
    [Theory]
    [InlineData("")]
    [InlineData("http://127.0.0.1:")]
    public async Task AnswersOperatorsOnlyThere(string prefix)
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        var port = FreePort.Next();
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Security:OperatorPort"] = $"{prefix}{port}" };
        Assert.Equal(200, (int)(await proxy.GetAsync("/dicomweb/studies")).Status);
        using var handler = new SocketsHttpHandler();
        using var operators = new HttpClient(handler, disposeHandler: false) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        foreach (var path in (string[])["/metrics", "/cache", "/settings", "/warnings", "/traffic", "/support-bundle"])
        {
            var reply = await proxy.GetAsync(path);
            reply.IsProblem(404);
            Assert.Equal((await proxy.GetAsync("/unknown")).Text, reply.Text);
            var answer = await operators.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        Assert.Equal(404, (int)(await proxy.SendAsync(HttpMethod.Delete, "/cache", [])).Status);
        Assert.Equal(200, (int)(await proxy.GetAsync("/health/ready")).Status);
        var page = await operators.GetAsync(new Uri("/", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("0")]
    [InlineData("70000")]
    [InlineData("ftp://127.0.0.1:9090")]
    [InlineData("8080")]
    public void RefusesAPortThatCannotWork(string port) => Assert.Contains("Security:OperatorPort = ", Read(port));

    [Fact]
    public void RefusesAnOpenListener_WithoutAuthentication() => Assert.Contains("AllowAnonymous", Read("http://0.0.0.0:9090"));

    private static string Read(string port)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Backends:east:Address"] = "http://127.0.0.1:1/",
            ["Security:OperatorPort"] = port,
        };
        Settings.Read(Configure(settings), out var errors);
        return Assert.Single(errors);
    }

    private static Microsoft.Extensions.Configuration.IConfiguration Configure(Dictionary<string, string?> settings)
    {
        var configuration = new Microsoft.Extensions.Configuration.ConfigurationManager();
        foreach (var (key, value) in settings) configuration[key] = value;
        return configuration;
    }
}
