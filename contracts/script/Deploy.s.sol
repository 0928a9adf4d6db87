// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Script} from "forge-std/Script.sol";
import {console} from "forge-std/console.sol";

import {ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";

/// @notice Deploys the registry to the address that `zama-jobs chain deploy` uses as well (deployer contract, salt and
/// arguments of both are those of deployment.json) and sets its roles up. Whoever pays for the deployment gets no right: all roles come from ADMIN, which
/// may be a multi-signature wallet. If ADMIN is the paying account, its calls are sent, too; otherwise they are printed,
/// for ADMIN to make. Running it again changes nothing and prints what ADMIN has not made yet.
/// @dev ADMIN=0x... CONFIRMER=0x... [PAUSER=0x...] [KEY_MANAGER=0x...] \
///   tools/forge.sh script script/Deploy.s.sol --rpc-url URL --private-key KEY --broadcast
///
/// To hand a development admin over afterwards: it calls renounceRole(PAUSER_ROLE, itself) and
/// beginDefaultAdminTransfer(successor); a day later the successor calls acceptDefaultAdminTransfer().
contract Deploy is Script {
    /// @notice Arachnid's deterministic deployment proxy: the same address on every chain that has it.
    address public immutable DEPLOYER;
    /// @notice The salt of CREATE2.
    bytes32 public immutable SALT;
    /// @notice Seconds that a transfer of the default admin role must wait.
    uint48 public immutable ADMIN_DELAY;

    /// @notice The chain lacks the contract that makes the address deterministic. Anybody can put it there: send 0.01 ETH
    /// to 0x3fAB184622Dc19b6109349B94811493BF2a45362 and publish the proxy's presigned transaction
    /// (github.com/Arachnid/deterministic-deployment-proxy). A chain that refuses such a transaction, which names no
    /// chain id, mostly has the proxy from its genesis.
    error NoDeterministicDeployer(address missing);
    /// @notice The deployer's call left no code at the registry's address.
    error NotDeployed(address registry);

    /// @notice Who gets which right; the zero address gets none.
    struct Roles {
        address confirmer;
        address pauser;
        address keyManager;
    }

    /// @notice Reads the parameters.
    constructor() {
        string memory parameters = vm.readFile("deployment.json");
        DEPLOYER = vm.parseJsonAddress(parameters, ".deployer");
        SALT = keccak256(bytes(vm.parseJsonString(parameters, ".salt")));
        ADMIN_DELAY = uint48(vm.parseJsonUint(parameters, ".adminDelaySeconds"));
    }

    /// @notice Deploys and sets up as the environment says.
    function run() external returns (ZamaJobsRegistry registry) {
        address admin = vm.envAddress("ADMIN");
        Roles memory roles = Roles({
            confirmer: vm.envAddress("CONFIRMER"),
            pauser: vm.envOr("PAUSER", address(0)),
            keyManager: vm.envOr("KEY_MANAGER", address(0))
        });
        vm.startBroadcast();
        registry = deploy(admin);
        bytes[] memory calls = adminCalls(registry, roles);
        for (uint256 i = 0; i < calls.length; ++i) {
            if (admin == msg.sender) {
                (bool done,) = address(registry).call(calls[i]);
                require(done, "the admin's call failed");
            } else {
                console.log("The admin still has to call the registry with");
                console.logBytes(calls[i]);
            }
        }
        vm.stopBroadcast();
        console.log("registry", address(registry));
    }

    /// @notice Where the registry of this admin stands on every chain.
    function registryAddress(address admin) public view returns (address) {
        return vm.computeCreate2Address(SALT, keccak256(_initCode(admin)), DEPLOYER);
    }

    /// @notice Deploys the registry unless it is there.
    function deploy(address admin) public returns (ZamaJobsRegistry registry) {
        registry = ZamaJobsRegistry(registryAddress(admin));
        if (address(registry).code.length != 0) return registry;
        if (DEPLOYER.code.length == 0) revert NoDeterministicDeployer(DEPLOYER);
        (bool done,) = DEPLOYER.call(abi.encodePacked(SALT, _initCode(admin)));
        if (!done || address(registry).code.length == 0) revert NotDeployed(address(registry));
    }

    /// @notice What the admin has to call so that these roles hold: nothing that holds already.
    function adminCalls(ZamaJobsRegistry registry, Roles memory roles) public view returns (bytes[] memory calls) {
        calls = new bytes[](3);
        uint256 count;
        bytes32 role = registry.CONFIRMER_ROLE();
        if (roles.confirmer != address(0) && !registry.hasRole(role, roles.confirmer)) {
            calls[count++] = abi.encodeCall(registry.grantRole, (role, roles.confirmer));
        }
        role = registry.PAUSER_ROLE();
        if (roles.pauser != address(0) && !registry.hasRole(role, roles.pauser)) {
            calls[count++] = abi.encodeCall(registry.grantRole, (role, roles.pauser));
        }
        if (roles.keyManager != address(0) && registry.keyManager() != roles.keyManager) {
            calls[count++] = abi.encodeCall(registry.setKeyManager, (roles.keyManager));
        }
        assembly ("memory-safe") {
            mstore(calls, count)
        }
    }

    function _initCode(address admin) private view returns (bytes memory) {
        return abi.encodePacked(type(ZamaJobsRegistry).creationCode, abi.encode(ADMIN_DELAY, admin));
    }
}
