using Proxy.Backends;
using Xunit;

namespace Proxy.Tests.Backends;

public class BackendSetTests
{
    [Fact]
    public void AnIdentityLeadsBackToItsName_HoweverThatIsWritten()
    {
        var identity = Set("east", "http://a/dicom-web").IdentityOf("EAST")!;
        Assert.Equal("East", Set("East", "http://a/dicom-web").NameOf(identity));
    }

    [Fact]
    public void AnotherAddressIsAnotherIdentity()
    {
        var identity = Set("east", "http://a/dicom-web").IdentityOf("east")!;
        Assert.Null(Set("east", "http://b/dicom-web").NameOf(identity));
        Assert.NotEqual(identity, Set("east", "http://b/dicom-web").IdentityOf("east"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("east")]
    [InlineData("west@0")]
    public void WhatIsNotConfiguredHasNone(string identity)
    {
        Assert.Null(Set("east", "http://a/dicom-web").NameOf(identity));
        Assert.Null(Set("east", "http://a/dicom-web").IdentityOf("west"));
    }

    private static BackendSet Set(string name, string address) =>
        new([new(name, new Uri(address), 100, TimeSpan.FromSeconds(30), 16, Compression.Identity, null, false, false)]);
}
