using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace Proxy.Tests.Pacs;

/// <summary>A PACS over TLS that accepts a client certificate and has no studies. Each request has a connection of its own.</summary>
public sealed class MutualTlsPacs : IAsyncDisposable
{
    private readonly WebApplication _app;
    private ImmutableList<string> _subjects = [];

    private MutualTlsPacs(WebApplication app) => _app = app;

    public string Address { get; private set; } = "";

    /// <summary>The subject of the client certificate of each request; empty for none.</summary>
    public IReadOnlyList<string> Subjects => _subjects;

    public static async Task<MutualTlsPacs> StartAsync((string Certificate, string Key) server)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        using var pair = X509Certificate2.CreateFromPem(server.Certificate, server.Key);
        var certificate = X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pfx), password: null);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, Listen));
        var app = builder.Build();
        var pacs = new MutualTlsPacs(app);
        app.Run(async context =>
        {
            var subject = context.Connection.ClientCertificate?.Subject ?? "";
            ImmutableInterlocked.Update(ref pacs._subjects, (all, one) => all.Add(one), subject);
            context.Response.Headers.Connection = "close";
            context.Response.ContentType = "application/dicom+json";
            await context.Response.WriteAsync("[]");
        });
        await app.StartAsync();
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        pacs.Address = addresses.Single() + "/dicom-web";
        return pacs;

        void Listen(ListenOptions listen) => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
